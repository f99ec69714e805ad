"""What is resolved by name, and where a new one goes: one module a plugin, in the folder of its kind; nothing lists it.

| kind | a module has |
|---|---|
| task_kinds | `load(spec, split) -> rows of contracts.EXAMPLES`: where a task's examples come from |
| sources | `prompt(example) -> messages`, or None where nothing is generated: where training responses come from |
| verifiers | `FILTERS`, the readings it can tell apart (lenient, strict), and `verify(response, example, *, strict)`, which gives a verdict of `contracts.VERDICT_VALUES` and one line of detail; or, where it runs programs, `verify_many(asked, sandbox)`, which gives these for a list of (response, example, strict) and an open `sandbox.programs.Sandbox`; and if it likes `check(example)`, which raises ValueError where an example can't be judged |
| weights | `weights(scores, parameters) -> float32 [tokens]`: `scores` are those of whole responses, as of `plugins.scores.Scores`, `parameters` the rule's settings; it depends on no response but a token's own. Optional: `fit(blocks, parameters) -> parameters`, what the rule takes from all responses before it weighs the first; `check(parameters)`, which raises ValueError where a study has settings that cannot work; `WORDS`, the tokens that count in words |
| wordings | `word_reference(terms, operators, result, rng) -> str`: reference answers of a generator, by its name |
| evaluations | `evaluate(...) -> rows of contracts.EVALUATION`: what is measured of a model, see `stages.evaluate` |
| analyses | `analyse(files) -> rows` of its contract `TABLE`; `files` are those that `files.analysed_files` names for it, by kind, each with its path and what it is of |
| losses | `RULE`, a `model.losses.rule.LossRule`: the loss of a rule that depends on the model while it is trained |
| kinds | `finish(folder, first, base)`, which makes of what a training saved what is kept; of some kinds of adapter, see `stages.training.save_adapter` |
| backends | `Sampler(folder, *, dtype, loading, adapter, gpus, vllm_python)`, a context manager that loads nothing before it is called: `sampler(ends, prompts, seeds, source)` gives the new token ids of each prompt, as `sampling.generate_batch` does; `sampler.cost(progress)` what that cost |
"""  # noqa: E501 (a table)

import importlib
import pkgutil
from difflib import get_close_matches
from types import ModuleType

from clearminds.checkout import PLUGINS
from clearminds.errors import UserError

# modules that plugins of a kind have in common, not plugins themselves
SHARED = {
    "task_kinds": {"checked", "distractors", "nulls", "rows", "slips", "split_files", "templates"},
    "evaluations": {"answers", "doc_hashes", "harness_compat", "harness_model"},
    "losses": {"rule", "terms"},
    "analyses": {"changes", "singular_values"},
    "kinds": {"adapter", "base", "card", "checkpoints", "held_out", "loss_in_words", "save_adapter", "trainer"},
}


def load(kind: str, name: str) -> ModuleType:
    """The module of a plugin.

    Args:
        kind: a key of `checkout.PLUGINS`.
        name: of the plugin, as a config has it.

    Raises:
        UserError: there is no plugin of this name.
    """
    if name not in (known := names(kind)):
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(f"{kind}: {name!r} is not one of {', '.join(known)}{hint}")
    return importlib.import_module(module(kind, name))


def module(kind: str, name: str) -> str:
    """The dotted name of a plugin's module, whether there is one or not."""
    return f"{PLUGINS[kind]}.{name}"


def names(kind: str) -> list[str]:
    """The plugins of a kind, sorted."""
    package = importlib.import_module(PLUGINS[kind])
    return sorted({found.name for found in pkgutil.iter_modules(package.__path__)} - SHARED.get(kind, set()))

"""The stages in their order, and what the `code` param of each one's rule is taken over.

A job's roots are its launcher's `main` and what its spec chooses by name: plugins and files. All that these reach
counts (`code.digest`), but what only reports (`reporting_only`). A digest that was declared equal to a former one is
replaced by that (`accepted`).
"""

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from clearminds.checkout import PLUGINS, WORKFLOW
from clearminds.files.digests import digest as digest_of
from clearminds.reuse.accepted import original
from clearminds.reuse.code import digest, own, text_digest
from clearminds.reuse.definitions import Tree
from clearminds.reuse.reporting_only import REPORTING_ONLY

STAGES = (
    "prepare_task",
    "fetch_model",
    "rehearse",
    "generate_responses",
    "verify_responses",
    "score_token_perplexity",
    "build_masks",
    "train_adapter",
    "evaluate_base",
    "evaluate_adapter",
    "summarise",
    "report",
)


# what is called of a plugin, by kind
ENTRIES = {
    "task_kinds": ("load",),
    "sources": ("prompt",),
    "verifiers": ("FILTERS", "verify"),
    "weights": ("weights", "fit"),
    "wordings": ("word_reference",),
    "backends": ("Sampler",),
    "evaluations": ("evaluate",),
}
OPTIONAL = ("fit",)  # what a plugin may do without
HARNESS_TASKS: tuple[str, ...] = ("tasks.clearminds_tasks:ConversationTask", "tasks.clearminds_tasks:load_examples")
HARNESS_TASKS += ("tasks.clearminds_tasks:process_results", "tasks/clearminds_generate.yaml")


def tree() -> Tree:
    """This checkout's code, parsed once per process."""
    return _parsed(WORKFLOW)


@cache
def _parsed(workflow: Path) -> Tree:
    return Tree(workflow)


def fingerprint(stage: str, spec: dict) -> str:
    """The `code` param of a job of this stage."""
    return digest_of(sorted(original(root_digest(root)) for root in roots(stage, spec)))[:32]


def parts(stage: str, spec: dict) -> dict[str, str]:
    """What each definition and file behind `fingerprint` says by itself: tells which one changed."""
    chosen = roots(stage, spec)
    files = {root: root_digest(root) for root in chosen if _is_file(root)}
    return own(tree(), [root for root in chosen if not _is_file(root)], REPORTING_ONLY) | files


def root_digest(root: str) -> str:
    """Digest of a root and all that it reaches. Args: root: a definition's key, or a path below `workflow/`."""
    return text_digest(WORKFLOW / root) if _is_file(root) else digest(tree(), root, REPORTING_ONLY)


def roots(stage: str, spec: dict) -> tuple[str, ...]:
    """What a job of this stage runs or reads first: keys of definitions, and paths of files below `workflow/`."""
    return (f"scripts.{stage}:main", *_CHOSEN.get(stage, lambda spec: ())(spec))


def all_roots() -> list[str]:
    """The roots of every stage and plugin there is, sorted."""
    found = {f"scripts.{stage}:main" for stage in STAGES} | set(HARNESS_TASKS)
    found |= {"clearminds/plugins/wordings/everyday_prompts.txt", "clearminds/report/page.html.jinja"}
    for kind, package in PLUGINS.items():
        for module in tree().modules():
            # one that cannot be read concerns nobody until a study names it
            with suppress(ValueError, SyntaxError):
                if module.startswith(f"{package}."):
                    found |= {key for entry in ENTRIES[kind] if (key := _entry(module, entry)) and root_digest(key)}
    return sorted(found)


def everything() -> dict[str, str]:
    """What each definition that a stage may reach says by itself, and the digest of each root."""
    found = all_roots()
    said = own(tree(), [root for root in found if not _is_file(root)], REPORTING_ONLY)
    return said | {f"root {root}": root_digest(root) for root in found}


def _is_file(root: str) -> bool:
    return "/" in root


def _plugin(kind: str, name: str) -> tuple[str, ...]:
    module = f"{PLUGINS[kind]}.{name}"
    found = {entry: _entry(module, entry) for entry in ENTRIES[kind]}
    return tuple(key or f"{module}:{entry}" for entry, key in found.items() if key or entry not in OPTIONAL)


def _entry(module: str, entry: str) -> str | None:
    """The key of what a plugin has under a name, also where it takes that from another module; None: nothing."""
    found = tree().attribute(module, entry)
    return found.name if found and found.kind == "definition" else None


def _of_task(spec: dict) -> tuple[str, ...]:
    task = spec["task"]
    found = _plugin("task_kinds", task["kind"])
    if task.get("reference") == "wordings":
        found += _plugin("wordings", task["generator"])
    if task["kind"] == "everyday_prompts":
        found += ("clearminds/plugins/wordings/everyday_prompts.txt",)
    return found


def _of_source(spec: dict) -> tuple[str, ...]:
    source = spec["source"]
    samples = () if source["kind"] == "reference" else _plugin("backends", source.get("backend") or "transformers")
    return _plugin("sources", source["kind"]) + samples


def _of_weights(spec: dict) -> tuple[str, ...]:
    return tuple(dict.fromkeys(root for rule in _rules(spec["weights"]) for root in _plugin("weights", rule)))


def _rules(value: object) -> Iterator[str]:
    """The names of a rule and of those that it holds, under whatever keys."""
    if isinstance(value, dict) and "rule" in value:
        yield value["rule"]
    for held in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _rules(held)


def _of_rehearsal(spec: dict) -> tuple[str, ...]:
    sources = {root for kind in spec["sources"] for root in _plugin("sources", kind)}
    return (*_of_evaluation(spec), *sorted(sources))


def _of_evaluation(spec: dict) -> tuple[str, ...]:
    found: set[str] = set()
    for task in spec["tasks"]:
        harness = task["evaluate"] in ("accuracy", "lm_eval")
        found.update(_plugin("evaluations", "lm_harness" if harness else task["evaluate"]))
        if task["evaluate"] == "accuracy":
            found.update(HARNESS_TASKS, _plugin("verifiers", task["verifier"]))
    if backend := spec["evaluation"].get("backend"):
        found.update(_plugin("backends", backend))
    return tuple(sorted(found))


_CHOSEN = {
    "prepare_task": _of_task,
    "rehearse": _of_rehearsal,
    "generate_responses": _of_source,
    "verify_responses": lambda spec: _plugin("verifiers", spec["verifier"]),
    "build_masks": _of_weights,
    "evaluate_base": _of_evaluation,
    "evaluate_adapter": _of_evaluation,
    "report": lambda spec: ("clearminds/report/page.html.jinja",),
}

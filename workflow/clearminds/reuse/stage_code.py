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
    "take_adapter",
    "evaluate_base",
    "evaluate_adapter",
    "analyse",
    "measure_gradients",
    "summarise",
    "report",
)


# what is called of a plugin, by kind
ENTRIES = {
    "task_kinds": ("load",),
    "sources": ("prompt",),
    "verifiers": ("FILTERS", "verify", "verify_many"),
    "weights": ("weights", "fit"),
    "wordings": ("word_reference",),
    "backends": ("Sampler",),
    "evaluations": ("evaluate",),
    "analyses": ("analyse", "TABLE"),
    "losses": ("RULE",),
    "kinds": ("finish",),
}
DISTRACTORS = "clearminds.plugins.task_kinds.distractors:choices_for"  # of generated items that have choices
PAGE = ("clearminds/report/templates", "clearminds/report/published.yaml")  # files, and folders of files
CHECK = "check"  # of a verifier, called by the rehearsal

# what a verifier that runs programs is given, and what runs inside of that
SANDBOX = "clearminds.sandbox.programs:Sandbox"
INSIDE = {
    "programs": ("clearminds.sandbox.inside.candidate:main", "clearminds.sandbox.inside.tests_process:main"),
    "sql": ("clearminds.sandbox.inside.query:main",),
}
OPTIONAL = ("fit",)  # what a plugin may do without


def tree() -> Tree:
    """This checkout's code, parsed once per process."""
    return _parsed(WORKFLOW)


@cache
def _parsed(workflow: Path) -> Tree:
    return Tree(workflow)


def fingerprint(stage: str, spec: dict) -> str:
    """The `code` param of a job of this stage."""
    return digest_of(sorted(original(root_digest(root)) for root in roots(stage, spec)))[:32]


def fingerprint_anew(stage: str, spec: dict) -> str:
    """As `fingerprint`, of the files as they are now; this process has no others from now on."""
    _parsed.cache_clear()
    return fingerprint(stage, spec)


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
    found = {f"scripts.{stage}:main" for stage in STAGES}
    found |= {DISTRACTORS, "clearminds/plugins/wordings/everyday_prompts.txt", *_page()}
    found |= {root for root in (SANDBOX, *(root for inside in INSIDE.values() for root in inside)) if _is_defined(root)}
    for kind, package in PLUGINS.items():
        for module in tree().modules():
            # one that cannot be read concerns nobody until a study names it
            with suppress(ValueError, SyntaxError):
                if module.startswith(f"{package}."):
                    entries = (*ENTRIES[kind], CHECK) if kind == "verifiers" else ENTRIES[kind]
                    found |= {key for entry in entries if (key := _entry(module, entry)) and root_digest(key)}
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
    if kind == "verifiers":
        return _verifier(module, name)
    found = {entry: _entry(module, entry) for entry in ENTRIES[kind]}
    return tuple(key or f"{module}:{entry}" for entry, key in found.items() if key or entry not in OPTIONAL)


def _verifier(module: str, name: str) -> tuple[str, ...]:
    runs = runs_programs(name)
    entries = ("FILTERS", "verify_many" if runs else "verify")
    found = tuple(_entry(module, entry) or f"{module}:{entry}" for entry in entries)
    # a verifier of the user's own may run anything inside
    inside = INSIDE.get(name, tuple(dict.fromkeys(root for roots in INSIDE.values() for root in roots)))
    return found + ((SANDBOX, *(root for root in inside if _is_defined(root))) if runs else ())


def runs_programs(verifier: str) -> bool:
    """Whether a verifier, by its name, runs programs in a sandbox."""
    return _entry(f"{PLUGINS['verifiers']}.{verifier}", "verify_many") is not None


def _is_defined(root: str) -> bool:
    module, _, name = root.partition(":")
    return module in tree().modules() and _entry(module, name) is not None


def _entry(module: str, entry: str) -> str | None:
    """The key of what a plugin has under a name, also where it takes that from another module; None: nothing."""
    found = tree().attribute(module, entry)
    return found.name if found and found.kind == "definition" else None


def _page() -> tuple[str, ...]:
    """The files that the report's page is made of, as paths below `workflow/`."""
    places = [WORKFLOW / place for place in PAGE]
    files = [file for place in places for file in (sorted(place.iterdir()) if place.is_dir() else [place])]
    return tuple(file.relative_to(WORKFLOW).as_posix() for file in files)


def _of_task(spec: dict) -> tuple[str, ...]:
    task = spec["task"]
    found = _plugin("task_kinds", task["kind"])
    if task.get("reference") == "wordings":
        found += _plugin("wordings", task["generator"])
    if task.get("choices"):
        found += (DISTRACTORS,)
    if task["kind"] == "everyday_prompts":
        found += ("clearminds/plugins/wordings/everyday_prompts.txt",)
    return found


def _of_source(spec: dict) -> tuple[str, ...]:
    source = spec["source"]
    samples = () if source["kind"] == "reference" else _plugin("backends", source.get("backend") or "transformers")
    return _plugin("sources", source["kind"]) + samples


def _of_weights(spec: dict) -> tuple[str, ...]:
    chosen = [spec["weights"], spec.get("replay")]
    return tuple(dict.fromkeys(root for rule in _rules(chosen) for root in _plugin("weights", rule)))


def _rules(value: object) -> Iterator[str]:
    """The names of a rule and of those that it holds, under whatever keys."""
    if isinstance(value, dict) and "rule" in value:
        yield value["rule"]
    for held in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _rules(held)


def _of_training(spec: dict) -> tuple[str, ...]:
    """The online rule of a training's loss. Args: its settings, or those of a rehearsal's training block."""
    loss = spec.get("loss")
    return _plugin("losses", loss["rule"]) if loss else ()


def _of_adapter(spec: dict) -> tuple[str, ...]:
    """The rule of its loss, and what is made of what it saves, where its kind has a module for that."""
    kind = spec["training"]["adapter"]
    has_module = f"{PLUGINS['kinds']}.{kind}" in tree().modules()
    return _of_training(spec["training"]) + (_plugin("kinds", kind) if has_module else ())


def _of_rehearsal(spec: dict) -> tuple[str, ...]:
    chosen = {root for kind in spec["sources"] for root in _plugin("sources", kind)}
    chosen |= {root for training in spec["trainings"] for root in _of_training(training)}
    verifiers = {task["verifier"] for task in spec["tasks"] if task["evaluate"] == "accuracy"}
    verifiers |= set(spec["verifiers"].values())
    chosen |= {key for name in verifiers if (key := _entry(f"{PLUGINS['verifiers']}.{name}", CHECK))}
    return (*_of_evaluation(spec), *sorted(chosen))


def _of_evaluation(spec: dict) -> tuple[str, ...]:
    found: set[str] = set()
    for task in spec["tasks"]:
        found.update(_plugin("evaluations", "lm_harness" if task["evaluate"] == "lm_eval" else task["evaluate"]))
        if task["evaluate"] == "accuracy":
            found.update(_plugin("verifiers", task["verifier"]))
    if backend := spec["evaluation"].get("backend"):
        found.update(_plugin("backends", backend))
    return tuple(sorted(found))


_CHOSEN = {
    "prepare_task": _of_task,
    "rehearse": _of_rehearsal,
    "generate_responses": _of_source,
    "verify_responses": lambda spec: _plugin("verifiers", spec["verifier"]),
    "build_masks": _of_weights,
    "train_adapter": _of_adapter,
    "evaluate_base": _of_evaluation,
    "evaluate_adapter": _of_evaluation,
    "analyse": lambda spec: _plugin("analyses", spec["analysis"]),
    "report": lambda spec: _page(),
}

"""The stages in their order, and the modules that each one runs: what the `code` param of its rule is taken over."""

from clearminds.plugins.load import module
from clearminds.reuse.code import code_fingerprint, code_parts

STAGES = (
    "prepare_task",
    "fetch_model",
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


def modules(stage: str, spec: dict) -> tuple[str, ...]:
    """The stage's launcher, its own module, and the plugins that its spec names; their imports follow by themselves."""
    return (
        f"scripts/{stage}.py",
        *_MODULES.get(stage, (f"clearminds.stages.{stage}",)),
        *_PLUGINS.get(stage, lambda spec: ())(spec),
    )


def fingerprint(stage: str, spec: dict) -> str:
    """The `code` param of a job of this stage."""
    return code_fingerprint(*modules(stage, spec))


def parts(stage: str, spec: dict) -> dict[str, str]:
    """Digest per module of those that `fingerprint` is taken over: what tells which one changed."""
    return code_parts(*modules(stage, spec))


# where a launcher calls more than the module that bears its name
_MODULES = {
    "generate_responses": ("clearminds.stages.generate_responses",),
    "score_token_perplexity": ("clearminds.stages.score_token_perplexity", "clearminds.model.load"),
    "evaluate_base": ("clearminds.stages.evaluate",),
    "evaluate_adapter": ("clearminds.stages.evaluate",),
    "train_adapter": (
        "clearminds.stages.train_adapter",
        "clearminds.stages.training.save_adapter",
        "clearminds.model.load",
    ),
    "summarise": ("clearminds.stages.summarise", "clearminds.report.result_table", "clearminds.files.study_files"),
    "report": ("clearminds.report.page", "clearminds.stages.report", "clearminds.files.study_files"),
}


def _task_plugins(spec: dict) -> tuple[str, ...]:
    task = spec["task"]
    names = [module("task_kinds", task["kind"])]
    if task.get("reference") == "wordings":
        names.append(module("wordings", task["generator"]))
    if task["kind"] == "everyday_prompts":
        names.append("clearminds/plugins/wordings/everyday_prompts.txt")
    return tuple(names)


def _weight_plugins(spec: dict) -> tuple[str, ...]:
    weights = spec["weights"]
    like = weights.get("like")
    return (module("weights", weights["rule"]), *([module("weights", like["rule"])] if like else []))


def _evaluation_plugins(spec: dict) -> tuple[str, ...]:
    names = set()
    for task in spec["tasks"]:
        if task["evaluate"] == "accuracy":
            names |= {
                "tasks/clearminds_generate.yaml",
                "tasks/clearminds_tasks.py",
                "clearminds.stages.evaluation.lm_harness",
            }
            names |= {module("verifiers", task["verifier"])}
        elif task["evaluate"] == "lm_eval":
            names.add("clearminds.stages.evaluation.lm_harness")
        else:
            names.add(f"clearminds.stages.evaluation.{task['evaluate']}")
    if backend := spec["evaluation"].get("backend"):
        names.add(module("backends", backend))
    return tuple(sorted(names))


def _generation_plugins(spec: dict) -> tuple[str, ...]:
    source = spec["source"]
    drawn = () if source["kind"] == "reference" else (module("backends", source.get("backend") or "transformers"),)
    return (module("sources", source["kind"]), *drawn)


_PLUGINS = {
    "prepare_task": _task_plugins,
    "verify_responses": lambda spec: (module("verifiers", spec["verifier"]),),
    "generate_responses": _generation_plugins,
    "build_masks": _weight_plugins,
    "report": lambda spec: ("clearminds/report/page.html.jinja",),
    "evaluate_base": _evaluation_plugins,
    "evaluate_adapter": _evaluation_plugins,
}

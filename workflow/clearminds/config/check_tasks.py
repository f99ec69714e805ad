"""What targets, tasks, suites and sources must agree on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clearminds.config.references import among, has_split, unique
from clearminds.config.replay import replayed
from clearminds.config.tasks import FileTask, HubTask, HumanEvalTask, LmEvalTask, ReasoningGymTask, Task
from clearminds.config.wording import short

if TYPE_CHECKING:
    from clearminds.config.study import Study

# what a verifier reads of an example beside its prompt, as keys of `template:`; a user's data need not have it
READ = {
    **dict.fromkeys(("exact", "number", "math", "marked_number"), ("answer",)),
    "letter": ("choices",),
    "programs": ("tests",),
    "sql": ("answer", "database"),
}


def check_tasks(study: Study) -> None:
    """Refuse targets, sources and suites that name what there is not, or ask of a task what it cannot give."""
    _are_there(study)
    _are_made(study)
    _are_evaluated(study)
    _can_be_served(study)
    unique("suites (a task in two of them)", [m for members in study.suites.values() for m in members])
    _can_be_judged(study)
    _are_tested(study)
    _can_drift(study)


def _are_there(study: Study) -> None:
    among("targets", study.targets, study.tasks)
    among("match: sources", study.match.sources, ["reference", *study.sources])
    unique("match: sources", study.match.sources)
    unique("targets", study.targets)
    unique("seeds", study.seeds)
    for name in study.targets:
        if isinstance(study.tasks[name], LmEvalTask):
            raise ValueError(
                f"targets: {name} is a task of lm-evaluation-harness (kind: lm_eval), which can be evaluated only; "
                "take it out here, and name it in one of the suites"
            )
        has_split(name, study.tasks[name], "train", "on which a target is trained")
        if study.tasks[name].tested_on is None:
            has_split(name, study.tasks[name], study.evaluation.split, "on which a target is evaluated")


def _are_made(study: Study) -> None:
    for name, source in study.sources.items():
        if name == "reference":
            raise ValueError("sources: reference is built in; give another name")
        if source.kind is None and name not in ("self_output", "rephrase"):
            raise ValueError(f"sources: {name}: needs kind: self_output or rephrase")


def _are_evaluated(study: Study) -> None:
    for name, members in study.suites.items():
        unique(f"suites: {name}", members)
        among(f"suites: {name}", [m for m in members if not m.startswith("lm_eval:")], study.tasks)
        for member in members:
            if member in study.tasks and not isinstance(study.tasks[member], LmEvalTask):
                has_split(member, study.tasks[member], study.evaluation.split, "on which it is evaluated")
            elif member not in study.tasks and not re.fullmatch(r"lm_eval:[^\s,]+", member):
                raise ValueError(
                    f"suites: {name}: {short(member)} names no task; write one behind lm_eval:, as in lm_eval:arc_easy"
                )


def _can_be_served(study: Study) -> None:
    backends = {f"sources: {name}": source.backend for name, source in study.sources.items()}
    asked = [key for key, name in {**backends, "evaluation": study.evaluation.backend}.items() if name == "vllm"]
    for name, model in study.models.items():
        if asked and model.quantization != "none":
            raise ValueError(
                f"{asked[0]}: backend: vllm takes no model with quantization: {model.quantization}, as {name} has; "
                "set quantization: none, or backend: transformers"
            )


def _can_be_judged(study: Study) -> None:
    """Refuse verifiers that are asked and cannot answer: of the responses of a target, and for an accuracy."""
    evaluated = {name for members in study.suites.values() for name in members if name in study.tasks}
    for name, task in study.tasks.items():
        accuracy = name in evaluated and task.evaluate == "accuracy"
        if accuracy and task.verifier == "unverified":
            raise ValueError(
                f"tasks: {name}: verifier: unverified gives no accuracy; set evaluate: likelihood, or a verifier"
            )
        if name in evaluated and task.evaluate == "choice":
            _has_choices(name, task)
        if not (accuracy or name in study.targets or name in replayed(study)) or not isinstance(
            task, FileTask | HubTask | HumanEvalTask
        ):
            continue
        needed = READ.get(task.verifier or "", ())
        if task.template is not None:
            had = [key for key in needed if getattr(task.template, key) is not None]
            if missing := [key for key in needed if key not in had]:
                raise ValueError(
                    f"tasks: {name}: verifier: {task.verifier} reads {missing[0]} of an example; add template: "
                    f"{{..., {missing[0]}: ...}}, or set verifier: unverified and evaluate: likelihood"
                )
        elif isinstance(task, FileTask | HubTask) and needed == ("answer",) and task.columns.answer is None:
            raise ValueError(
                f"tasks: {name}: verifier: {task.verifier} compares with an answer; name its column (columns: "
                "{..., answer: YOURS}), or set verifier: unverified and evaluate: likelihood"
            )
        elif needed not in ((), ("answer",)):
            raise ValueError(
                f"tasks: {name}: verifier: {task.verifier} reads {' and '.join(needed)} of an example; give "
                f"template: {{prompt: ..., {needed[-1]}: ...}}, or a preset (docs/tasks.md)"
            )


def _are_tested(study: Study) -> None:
    """Refuse tasks in the place of targets' own tests that do not give a score, or not one alone."""
    evaluated = [name for members in study.suites.values() for name in members if name in study.tasks]
    for name, task in study.tasks.items():
        if task.tested_on is None:
            continue
        where = f"tasks: {name}: tested_on"
        if name not in study.targets:
            raise ValueError(f"{where}: {name} is no target; take the key out, or name it in targets")
        among(where, [task.tested_on], [other for other in evaluated if other != name])
        if study.tasks[task.tested_on].evaluate in ("likelihood", "drift"):
            raise ValueError(f"{where}: {task.tested_on} measures no accuracy; name a task that does")
        if name in evaluated:
            raise ValueError(f"{where}: {name} is tested on {task.tested_on}; take {name} itself out of suites")


def _has_choices(name: str, task: Task) -> None:
    if isinstance(task, ReasoningGymTask):
        return
    template = getattr(task, "template", None)
    if missing := [key for key in ("choices", "gold") if getattr(template, key, None) is None]:
        raise ValueError(
            f"tasks: {name}: evaluate: choice reads {' and '.join(missing)} of an example; add template: "
            f"{{..., {missing[0]}: ...}}, or set another evaluate"
        )


def _can_drift(study: Study) -> None:
    for name, task in study.tasks.items():
        if task.evaluate == "drift" and (task.answers is None or not study.sources):
            raise ValueError(
                f"tasks: {name}: answers: {short(task.answers) if task.answers else 'missing'}; evaluate: drift "
                "needs one of the sources, which samples the base's own answers; "
                f"{'sources: ' + ', '.join(study.sources) if study.sources else 'sources has none: add one there'}"
            )
        if task.evaluate == "drift":
            among(f"tasks: {name}: answers", [task.answers], list(study.sources))

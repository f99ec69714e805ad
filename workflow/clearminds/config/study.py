"""What a study may say, checked before anything runs: the blocks of `config.blocks`, and how they fit together.

No stage imports this module: a new key or rule in it makes nothing rerun. `workflow/schemas/config.schema.json` is
generated from it for editors (`python -m clearminds.commands.config_schema`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from clearminds.config.blocks import (
    Analysis,
    Evaluation,
    Match,
    Model,
    Runtime,
    Scoring,
    Source,
    Training,
    Variant,
)
from clearminds.config.given import Given, apart, check_given
from clearminds.config.losses import NEED_THE_BASE
from clearminds.config.presets import expanded
from clearminds.config.replay import check_replay, replayed
from clearminds.config.starts import check_start
from clearminds.config.strict import Id, Strict
from clearminds.config.sweeps import with_sweeps
from clearminds.config.tasks import FileTask, HubTask, HumanEvalTask, LmEvalTask, ReasoningGymTask, Task
from clearminds.config.values import Seed, Text
from clearminds.config.weights import circle, draws, imitated, models_of, tuned_of
from clearminds.config.wording import nearest, problem, short

# what a verifier reads of an example beside its prompt, as keys of `template:`; a user's data need not have it
READ = {
    **dict.fromkeys(("exact", "number", "math", "marked_number"), ("answer",)),
    "letter": ("choices",),
    "programs": ("tests",),
    "sql": ("answer", "database"),
}

HELD_OUT = "validation"  # the split that the loss of a training is taken on meanwhile


class Study(Strict):
    """A whole study."""

    study: Id
    models: dict[Id, Model] = Field(min_length=1)
    tasks: dict[Id, Task] = Field(min_length=1)
    targets: list[Id] = Field(min_length=1)
    suites: dict[Id, Annotated[list[Text], Field(min_length=1)]] = Field(min_length=1)
    sources: dict[Id, Source] = Field({})
    scoring: Scoring = Scoring()
    match: Match
    variants: dict[Id, Variant]
    given: dict[Id, Given] | None = None  # of variants, those that are not trained here
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    seeds: list[Seed] = Field(min_length=1)
    analyses: Annotated[list[Analysis], Field(min_length=1)] | None = Field(
        None, description="tables and figures beside the results (docs/analyses.md); null: none"
    )
    runtime: Runtime = Runtime()

    @model_validator(mode="before")
    @classmethod
    def _expansions(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        given = apart(given)
        made = {"tasks": expanded, "variants": with_sweeps}
        return {**given, **{key: make(given[key]) for key, make in made.items() if isinstance(given.get(key), Mapping)}}

    @model_validator(mode="after")
    def _references(self) -> Study:
        known = ["reference", *self.sources]
        _among("targets", self.targets, self.tasks)
        _among("match: sources", self.match.sources, known)
        _unique("match: sources", self.match.sources)
        _unique("targets", self.targets)
        _unique("seeds", self.seeds)
        for name in self.targets:
            if isinstance(self.tasks[name], LmEvalTask):
                raise ValueError(
                    f"targets: {name} is a task of lm-evaluation-harness (kind: lm_eval), which can be evaluated only; "
                    "take it out here, and name it in one of the suites"
                )
            _has_split(name, self.tasks[name], "train", "on which a target is trained")
            if self.tasks[name].tested_on is None:
                _has_split(name, self.tasks[name], self.evaluation.split, "on which a target is evaluated")
        for name, source in self.sources.items():
            if name == "reference":
                raise ValueError("sources: reference is built in; give another name")
            if source.kind is None and name not in ("self_output", "rephrase"):
                raise ValueError(f"sources: {name}: needs kind: self_output or rephrase")
        for name, members in self.suites.items():
            _unique(f"suites: {name}", members)
            _among(f"suites: {name}", [m for m in members if not m.startswith("lm_eval:")], self.tasks)
            for member in members:
                if member in self.tasks and not isinstance(self.tasks[member], LmEvalTask):
                    _has_split(member, self.tasks[member], self.evaluation.split, "on which it is evaluated")
                elif member not in self.tasks and not re.fullmatch(r"lm_eval:[^\s,]+", member):
                    raise ValueError(
                        f"suites: {name}: {short(member)} names no task; write one behind lm_eval:, as in "
                        "lm_eval:arc_easy"
                    )
        self._can_be_served()
        _unique("suites (a task in two of them)", [m for members in self.suites.values() for m in members])
        self._can_be_judged()
        self._are_tested()
        for name, task in self.tasks.items():
            if task.evaluate == "drift" and (task.answers is None or not self.sources):
                raise ValueError(
                    f"tasks: {name}: answers: {short(task.answers) if task.answers else 'missing'}; evaluate: drift "
                    "needs one of the sources, which samples the base's own answers; "
                    f"{'sources: ' + ', '.join(self.sources) if self.sources else 'sources has none: add one there'}"
                )
            if task.evaluate == "drift":
                _among(f"tasks: {name}: answers", [task.answers], list(self.sources))
        for name, variant in self.variants.items():
            if name == "base":
                raise ValueError("variants: base is built in (the model as it is); give another name")
            _among(f"variants: {name}: responses", [variant.responses], known)
            self._can_be_replayed(name)
            _among(f"variants: {name}: training", list(variant.training), list(Training.model_fields))
            if "max_length" in variant.training:
                raise ValueError(
                    f"variants: {name}: training: max_length fixes the matched examples; set it for all variants"
                )
            if self.match.by is not None and "epochs" in variant.training:
                raise ValueError(
                    f"variants: {name}: training: epochs: match: by: {self.match.by} makes trainings equally long, by "
                    "the epochs of all variants; take the key out, or set match: by: examples"
                )
            try:
                self.training_of(name)
            except ValidationError as error:
                key = error.errors()[0]["loc"][:1]  # none, where keys do not fit together
                of_key = [e for e in error.errors() if e["loc"][:1] == key]
                # of a value that could be of two types, the error that went deeper into one of them
                deepest = max((e["loc"] for e in of_key), key=len)
                found = problem([e for e in of_key if len(e["loc"]) == len(deepest)])
                place = [*key, *(part for part in deepest[1:] if isinstance(part, int))]
                raise ValueError(": ".join([f"variants: {name}: training", *map(str, place), found])) from None
            self._can_be_spread(name)
            self._has_its_base(name)
            self._can_imitate(name)
            self._can_be_scored(name)
        if not self.variants and not self.given:
            raise ValueError("variants: there is none; add one, as in ground-truth: {responses: reference}")
        self._are_trained_on()
        for name in self.given or {}:
            check_given(self, name)
        for name in self.variants:
            check_start(self, name)
            check_replay(self, name)
        self._can_be_analysed()
        return self

    def _can_be_replayed(self, name: str) -> None:
        replay = self.variants[name].replay
        if replay is None:
            return
        where = f"variants: {name}: replay"
        _among(f"{where}: task", [replay.task], [task for task in self.tasks if self.tasks[task].splits])
        _among(f"{where}: source", [replay.source], ["reference", *self.sources])
        _has_split(replay.task, self.tasks[replay.task], "train", f"of which variants: {name} replays examples")

    def _are_trained_on(self) -> None:
        """Refuse targets of variants that there are none of, and those of which nobody is left."""
        for name, variant in self.variants.items():
            _among(f"variants: {name}: targets", variant.targets or [], self.targets)
            _unique(f"variants: {name}: targets", variant.targets or [])
            for tuned in tuned_of(variant.weights):
                if missing := [t for t in self.targets_of(name) if t not in self.targets_of(tuned.variant)]:
                    raise ValueError(
                        f"variants: {name}: weights: scorer: variant: {tuned.variant} is not trained on {missing[0]}; "
                        "add that to its targets, or name another variant"
                    )
        for target in self.targets:
            named = [given.trained_on or target for given in (self.given or {}).values()]
            if target not in named and not any(target in self.targets_of(name) for name in self.variants):
                raise ValueError(
                    f"targets: {target}: no variant has it among its targets; take it out, or add it there"
                )

    @cached_property
    def held_out(self) -> list[str]:
        """The variants whose trainings take the loss on held-out references."""
        return [name for name in self.variants if self.training_of(name).validation_every]

    def _can_be_analysed(self) -> None:
        """Refuse a curve of losses that nothing takes, or that there are no references for."""
        _unique("analyses", self.analyses or [])
        for name in self.targets if self.held_out else ():
            _has_split(name, self.tasks[name], HELD_OUT, "whose loss is asked for by training: validation_every")
        if "convergence" in (self.analyses or []) and not self.held_out:
            raise ValueError(
                "analyses: convergence shows the loss on a validation split; set training: validation_every: STEPS, or "
                "take convergence out"
            )

    def _can_be_scored(self, variant: str) -> None:
        """Refuse scorers that there are none of, and variants that wait for each other."""
        where, weights = f"variants: {variant}: weights", self.variants[variant].weights
        _among(f"{where}: scorer", models_of(weights), self.models)
        for tuned in tuned_of(weights):
            _among(f"{where}: scorer: variant", [tuned.variant], self.variants)
            if tuned.seed is not None and tuned.seed not in self.seeds:
                raise ValueError(
                    f"{where}: scorer: seed: {tuned.seed} is not one of seeds: {', '.join(map(str, self.seeds))}"
                )
        rules = {name: other.weights for name, other in self.variants.items()}
        if found := circle([variant], rules):
            raise ValueError(f"{where}: {' -> '.join(found)}: one of them needs a rule that waits for no other variant")

    def _can_imitate(self, variant: str) -> None:
        """Refuse a rule that is like another variant's, where that has no counts of its own to imitate."""
        where, own = f"variants: {variant}: weights: like", self.variants[variant]
        for like in imitated(own.weights):
            if len(self.variants) == 1:
                raise ValueError(
                    f"{where}: {like} is not declared: there is no other variant; add the one whose number of masked "
                    "tokens is imitated"
                )
            _among(where, [like], [other for other in self.variants if other != variant])
            other = self.variants[like]
            if draws(other.weights) or other.responses != own.responses:
                raise ValueError(
                    f"{where}: {like} must have the same responses and a rule that does not draw at random"
                )

    def _can_be_spread(self, variant: str) -> None:
        """Refuse what several processes of a training could not do, before responses and scores are paid for."""
        training, gpus = self.training_of(variant), max(self.runtime.devices, 1)
        if training.batch_examples % gpus:
            raise ValueError(
                f"variants: {variant}: training: batch_examples: {training.batch_examples} must be a multiple of "
                f"runtime: gpus: {gpus}, which share each step"
            )
        if not self.runtime.fsdp:
            return
        takes = {"dora": "takes norms of", "pissa": "takes singular values of", "full": "saves"}.get(training.adapter)
        if takes:
            raise ValueError(
                f"variants: {variant}: training: adapter: {training.adapter} {takes} whole weights, which runtime: "
                "fsdp spreads; set adapter: lora, or unset runtime: fsdp"
            )
        for name, model in self.models.items():
            if model.quantization != "none":
                raise ValueError(
                    f"models: {name}: quantization: weights of 4 bits cannot be spread; unset runtime: fsdp"
                )

    def _has_its_base(self, variant: str) -> None:
        """Refuse what changes the base's own weights where the base is asked, or where these have four bits."""
        adapter, loss = self.training_of(variant).adapter, self.variants[variant].loss
        if adapter not in ("pissa", "full"):
            return
        where = f"variants: {variant}: training: adapter: {adapter}"
        if loss and self.asks_the_base(variant):
            raise ValueError(
                f"{where} changes the base's weights, which loss: rule: {loss.rule} compares with; set adapter: lora, "
                "dora or rslora, or another rule"
            )
        for name, model in self.models.items():
            if model.quantization != "none":
                raise ValueError(
                    f"{where} changes whole weights, but models: {name}: quantization: {model.quantization}; set "
                    "adapter: lora, or quantization: none"
                )

    def _can_be_served(self) -> None:
        backends = {f"sources: {name}": source.backend for name, source in self.sources.items()}
        asked = [key for key, name in {**backends, "evaluation": self.evaluation.backend}.items() if name == "vllm"]
        for name, model in self.models.items():
            if asked and model.quantization != "none":
                raise ValueError(
                    f"{asked[0]}: backend: vllm takes no model with quantization: {model.quantization}, as {name} has; "
                    "set quantization: none, or backend: transformers"
                )

    def _can_be_judged(self) -> None:
        """Refuse verifiers that are asked and cannot answer: of the responses of a target, and for an accuracy."""
        evaluated = {name for members in self.suites.values() for name in members if name in self.tasks}
        for name, task in self.tasks.items():
            accuracy = name in evaluated and task.evaluate == "accuracy"
            if accuracy and task.verifier == "unverified":
                raise ValueError(
                    f"tasks: {name}: verifier: unverified gives no accuracy; set evaluate: likelihood, or a verifier"
                )
            if name in evaluated and task.evaluate == "choice":
                _has_choices(name, task)
            if not (accuracy or name in self.targets or name in replayed(self)) or not isinstance(
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

    def _are_tested(self) -> None:
        """Refuse tasks in the place of targets' own tests that do not give a score, or not one alone."""
        evaluated = [name for members in self.suites.values() for name in members if name in self.tasks]
        for name, task in self.tasks.items():
            if task.tested_on is None:
                continue
            where = f"tasks: {name}: tested_on"
            if name not in self.targets:
                raise ValueError(f"{where}: {name} is no target; take the key out, or name it in targets")
            _among(where, [task.tested_on], [other for other in evaluated if other != name])
            if self.tasks[task.tested_on].evaluate in ("likelihood", "drift"):
                raise ValueError(f"{where}: {task.tested_on} measures no accuracy; name a task that does")
            if name in evaluated:
                raise ValueError(f"{where}: {name} is tested on {task.tested_on}; take {name} itself out of suites")

    def targets_of(self, variant: str) -> list[str]:
        """The targets that a variant is trained on, in the study's order."""
        only = self.variants[variant].targets
        return [name for name in self.targets if only is None or name in only]

    def base_of(self, given: str) -> str:
        """The model that something of `given` was trained from."""
        return (self.given or {})[given].adapter.base or next(iter(self.models))

    def training_of(self, variant: str) -> Training:
        """The training settings of a variant, its own keys put over the study's."""
        return Training.model_validate({**self.training.model_dump(), **self.variants[variant].training})

    def asks_the_base(self, variant: str) -> bool:
        """Whether a variant's loss asks the base beside the model."""
        loss = self.variants[variant].loss
        return loss is not None and loss.rule in NEED_THE_BASE

    def training_keys(self, variant: str) -> dict[str, Any]:
        """What stages are told of a variant's training: those settings by key, and its `loss`."""
        loss = self.variants[variant].loss
        return {**dict(self.training_of(variant)), "loss": loss and loss.model_dump()}


def _among(where: str, found: Sequence[str | None], allowed: Collection[str]) -> None:
    for value in found:
        if value not in allowed:
            raise ValueError(f"{where}: {short(value)} is not one of {', '.join(allowed)}{nearest(value, allowed)}")


def _has_split(name: str, task: Task, split: str, why: str) -> None:
    if split not in task.splits:
        raise ValueError(
            f"tasks: {name}: splits: {split} is missing, {why}; found: {', '.join(task.splits)}"
            f"{nearest(split, task.splits)}"
        )


def _has_choices(name: str, task: Task) -> None:
    if isinstance(task, ReasoningGymTask):
        return
    template = getattr(task, "template", None)
    if missing := [key for key in ("choices", "gold") if getattr(template, key, None) is None]:
        raise ValueError(
            f"tasks: {name}: evaluate: choice reads {' and '.join(missing)} of an example; add template: "
            f"{{..., {missing[0]}: ...}}, or set another evaluate"
        )


def _unique(where: str, values: list) -> None:
    twice = [value for n, value in enumerate(values) if value in values[:n]]
    if twice:
        raise ValueError(f"{where}: {twice[0]!r} appears twice; take one out")

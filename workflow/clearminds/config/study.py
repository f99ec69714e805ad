"""What a study may say, checked before anything runs: the blocks of `config.blocks`, and how they fit together.

No stage imports this module: a new key or rule in it makes nothing rerun. `workflow/schemas/config.schema.json` is
generated from it for editors (`python -m clearminds.commands.config_schema`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from clearminds.config.blocks import (
    Evaluation,
    Id,
    Match,
    Model,
    RandomRule,
    Runtime,
    Scoring,
    Source,
    Strict,
    Task,
    Training,
    Variant,
)


class Study(Strict):
    """A whole study."""

    study: Id
    models: dict[Id, Model] = Field(min_length=1)
    tasks: dict[Id, Task] = Field(min_length=1)
    targets: list[Id] = Field(min_length=1)
    suites: dict[Id, list[str]] = Field(min_length=1)
    sources: dict[Id, Source] = Field({})
    scoring: Scoring = Scoring()
    match: Match
    variants: dict[Id, Variant] = Field(min_length=1)
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    seeds: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)
    runtime: Runtime = Runtime()

    @model_validator(mode="after")
    def _references(self) -> Study:
        known = ["reference", *self.sources]
        _among("targets", self.targets, self.tasks)
        _among("match: sources", self.match.sources, known)
        _unique("match: sources", self.match.sources)
        _unique("targets", self.targets)
        _unique("seeds", self.seeds)
        for name in self.targets:
            for split in ("train", self.evaluation.split):
                _among(f"tasks: {name}: splits, of a target,", [split], self.tasks[name].splits)
        for name, source in self.sources.items():
            if name == "reference":
                raise ValueError("sources: reference is built in; give another name")
            if source.kind is None and name not in ("self_output", "rephrase"):
                raise ValueError(f"sources: {name}: needs kind: self_output or rephrase")
        for name, members in self.suites.items():
            _unique(f"suites: {name}", members)
            _among(f"suites: {name}", [m for m in members if not m.startswith("lm_eval:")], self.tasks)
            for member in members:
                if member == "lm_eval:":
                    raise ValueError(
                        f"suites: {name}: lm_eval: names no task; write one behind it, as in lm_eval:arc_easy"
                    )
                if member in self.tasks:
                    _among(
                        f"tasks: {member}: splits, of an evaluated task,",
                        [self.evaluation.split],
                        self.tasks[member].splits,
                    )
        self._can_be_served()
        _unique("suites (a task in two of them)", [m for members in self.suites.values() for m in members])
        for name, task in self.tasks.items():
            if task.evaluate == "drift":
                _among(f"tasks: {name}: answers", [task.answers], list(self.sources))
        for name, variant in self.variants.items():
            if name == "base":
                raise ValueError("variants: base is built in (the model as it is); give another name")
            _among(f"variants: {name}: responses", [variant.responses], known)
            _among(f"variants: {name}: training", list(variant.training), list(Training.model_fields))
            if "max_length" in variant.training:
                raise ValueError(
                    f"variants: {name}: training: max_length fixes the matched examples; set it for all variants"
                )
            try:
                self.training_of(name)
            except ValidationError as error:
                first = error.errors()[0]
                raise ValueError(
                    f"variants: {name}: training: {first['loc'][0]}: {first['msg'].lower()}, not {first['input']!r}"
                ) from None
            self._can_be_spread(name)
            if isinstance(variant.weights, RandomRule):
                like = variant.weights.like
                _among(f"variants: {name}: weights: like", [like], [v for v in self.variants if v != name])
                other = self.variants[like]
                if isinstance(other.weights, RandomRule) or other.responses != variant.responses:
                    raise ValueError(
                        f"variants: {name}: weights: like: {like} must have the same responses and a rule that does "
                        "not draw at random"
                    )
        return self

    def _can_be_spread(self, variant: str) -> None:
        """Refuse what several processes of a training could not do, before responses and scores are paid for."""
        training, gpus = self.training_of(variant), max(self.runtime.gpus, 1)
        if training.batch_examples % gpus:
            raise ValueError(
                f"variants: {variant}: training: batch_examples: {training.batch_examples} must be a multiple of "
                f"runtime: gpus: {gpus}, which share each step"
            )
        if not self.runtime.fsdp:
            return
        if training.adapter == "dora":
            raise ValueError(
                f"variants: {variant}: training: adapter: dora takes norms of whole weights, which runtime: fsdp "
                "spreads; set adapter: lora, or unset runtime: fsdp"
            )
        for name, model in self.models.items():
            if model.quantization != "none":
                raise ValueError(
                    f"models: {name}: quantization: weights of 4 bits cannot be spread; unset runtime: fsdp"
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

    def training_of(self, variant: str) -> Training:
        """The training settings of a variant, its own keys put over the study's."""
        return Training.model_validate({**self.training.model_dump(), **self.variants[variant].training})


def _among(where: str, found: Sequence[str | None], allowed: Collection[str]) -> None:
    from difflib import get_close_matches

    for value in found:
        if value not in allowed:
            near = get_close_matches(str(value), list(allowed), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"{where}: {value!r} is not one of {', '.join(allowed) or '(none given)'}{hint}")


def _unique(where: str, values: list) -> None:
    twice = [value for n, value in enumerate(values) if value in values[:n]]
    if twice:
        raise ValueError(f"{where}: {twice[0]!r} appears twice; take one out")

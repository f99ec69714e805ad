"""What a study may say, checked before anything runs: the blocks of `config.blocks`, and how they fit together.

No stage imports this module: a new key or rule in it makes nothing rerun. `workflow/schemas/config.schema.json` is
generated from it for editors (`python -m clearminds.commands.config_schema`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, model_validator

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
from clearminds.config.check_tasks import check_tasks
from clearminds.config.check_variants import check_variants
from clearminds.config.given import Given, apart
from clearminds.config.losses import NEED_THE_BASE
from clearminds.config.presets import expanded
from clearminds.config.strict import Id, Strict
from clearminds.config.sweeps import with_sweeps
from clearminds.config.tasks import Task
from clearminds.config.values import Seed, Text


class Study(Strict):
    """A whole study."""

    study: Id = Field(description="the name; everything lands in results/NAME/")
    models: dict[Id, Model] = Field(min_length=1, description="what is fine-tuned, a block each")
    tasks: dict[Id, Task] = Field(min_length=1, description="what can be trained on or evaluated, a block each")
    targets: list[Id] = Field(min_length=1, description="the tasks that adapters are trained on (split train)")
    suites: dict[Id, Annotated[list[Text], Field(min_length=1)]] = Field(
        min_length=1, description="tasks that one job evaluates; lm_eval:NAME is a task of lm-evaluation-harness"
    )
    sources: dict[Id, Source] = Field({}, description="where responses are sampled; reference is built in")
    scoring: Scoring = Field(Scoring(), description="how token perplexities are computed")
    match: Match = Field(description="which examples every variant trains on")
    variants: dict[Id, Variant] = Field(description="ways of training, each a row of the result table")
    given: dict[Id, Given] | None = None  # of variants, those that are not trained here
    training: Training = Field(Training(), description="of one adapter")
    evaluation: Evaluation = Field(Evaluation(), description="how models are evaluated")
    seeds: list[Seed] = Field(min_length=1, description="one adapter per variant and seed")
    analyses: Annotated[list[Analysis], Field(min_length=1)] | None = Field(
        None, description="tables and figures beside the results (docs/analyses.md); null: none"
    )
    runtime: Runtime = Field(Runtime(), description="how to run")

    @model_validator(mode="before")
    @classmethod
    def _expansions(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        given = apart(given)
        made = {"tasks": expanded, "variants": with_sweeps}
        return {**given, **{key: make(given[key]) for key, make in made.items() if isinstance(given.get(key), Mapping)}}

    @model_validator(mode="after")
    def _agree(self) -> Study:
        check_tasks(self)
        check_variants(self)
        return self

    @cached_property
    def held_out(self) -> list[str]:
        """The variants whose trainings take the loss on held-out references."""
        return [name for name in self.variants if self.training_of(name).validation_every]

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

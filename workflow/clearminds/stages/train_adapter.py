"""Fine-tuning one adapter on one variant's masks with one seed, by transformers' Trainer and PEFT.

What an optimiser step computes is in `training.trainer`, how a killed training goes on in `training.checkpoints`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearminds.files.settings import settings
from clearminds.model.loading import Loading
from clearminds.plugins.load import load

if TYPE_CHECKING:  # the workflow reads `Settings` here, and needs no torch for it
    import pyarrow as pa

    from clearminds.stages.training.base import Base
    from clearminds.stages.training.checkpoints import Checkpoints
    from clearminds.stages.training.trainer import WeightedTrainer


@settings
class Step:
    """What an optimiser step depends on.

    Attributes:
        adapter: lora, dora, rslora or pissa; full: all weights are trained, and there is none.
        rank: of the adapter's two factors.
        alpha: the adapter's output is scaled by alpha / rank.
        dropout: on the adapter's input.
        target_modules: all-linear, or names of modules.
        learning_rate: at its peak.
        scheduler: one of transformers'.
        warmup_steps: optimiser steps of linear rise to the peak.
        weight_decay: of AdamW.
        max_grad_norm: larger gradients are scaled down to it.
        dtype: of the base's weights, and of products; what is trained is float32.
    """

    adapter: str
    rank: int
    alpha: int
    dropout: float
    target_modules: str | list[str]
    learning_rate: float
    scheduler: str
    warmup_steps: int
    weight_decay: float
    max_grad_norm: float
    dtype: str


@settings
class Training(Step):
    """What is trained, and how.

    Attributes:
        epochs: passes over the examples.
        batch_examples: per optimiser step, over all processes.
        normaliser: what a step's loss is divided by: the number of `kept` tokens, or of `all` response tokens; None:
            the sum of the weights.
        validation_every: optimiser steps between two losses on held-out references; None: none is taken.
        loss: an online rule, a module of `model/losses`, and its settings; None: each token counts by its weight.
    """

    epochs: float
    batch_examples: int
    normaliser: str | None = None
    validation_every: int | None = None
    loss: dict[str, Any] | None = None


@settings
class Passes:
    """What the trainings of a target are made as long as.

    Attributes:
        epochs: passes over the matched examples.
        batch_examples: per optimiser step, as all variants have it that do not say otherwise.
    """

    epochs: float
    batch_examples: int


@settings
class Length(Passes):
    """Attributes: by: steps, or tokens, whose number is that of these passes."""

    by: str


@settings
class Start:
    """The training whose end is the beginning of this one: of the same model, by these names."""

    variant: str
    target: str
    seed: str


@settings
class Settings:
    """What an adapter depends on.

    Attributes:
        start: what is trained further; None: the base is trained.
        length: what its training is made as long as; None: as its own epochs.
    """

    training: Training
    seed: int
    loading: Loading
    length: Length | None = None
    start: Start | None = None


@settings
class Runtime:
    """How it runs.

    Attributes:
        batch_tokens: most tokens of a forward pass; it only splits inside an optimiser step.
        checkpoint_seconds: between two checkpoints; 0: after every step.
        fsdp: whether the weights are spread over the devices.
        gradient_checkpointing: whether activations are computed again in the backward pass.
        report_to: trackers of the Trainer.
    """

    batch_tokens: int
    checkpoint_seconds: float
    fsdp: bool
    gradient_checkpointing: bool
    report_to: str | list[str]


@dataclass(frozen=True)
class Material:
    """What a training is given.

    Attributes:
        base: what the adapter's config names as its base.
        masks: table of the contract MASKS.
        counts: how many examples were matched, as the masks say.
        start: the folder of the training whose end is this one's beginning; None: the base is.
        held_out: of `training.held_out.held_out_rows`, where `validation_every` asks for their loss; None: it does not.
    """

    base: Base
    masks: pa.Table
    counts: Mapping[str, int]
    start: Path | None
    held_out: list[dict] | None = None


def train_adapter(
    model: Path,
    material: Material,
    settings: Settings,
    runtime: Runtime,
    gpus: int,
    checkpoints: Checkpoints,
) -> tuple[WeightedTrainer, dict]:
    """Load a model, put a fresh adapter or that of another training on it, and train that, or train all of its weights.

    Args:
        model: its folder.
        material: what it is trained on.
        settings, runtime: of the stage.
        gpus: devices of the job, a process each.
        checkpoints: of this training; they stay when it ends, until the caller has the adapter on disk.

    Returns:
        the Trainer after training, and what it cost.
    """
    from clearminds.model.throughput import throughput
    from clearminds.stages.training.length import optimiser_steps
    from clearminds.stages.training.start import begin
    from clearminds.stages.training.trainer import seeded, train

    seeded(settings.seed)
    spread = gpus if runtime.fsdp else 1
    network = begin(model, material.base, material.start, settings.training, settings.loading, spread)
    masks = material.masks
    steps = optimiser_steps(settings.length, settings.training.batch_examples, masks, material.counts)
    training = settings.training
    trainer, progress, resumed = train(
        network, masks, training, settings.seed, runtime, checkpoints, steps, material.held_out
    )
    # operations per parameter and token: forward, backward; of the base where a rule asks it, of weights that learn
    loss = settings.training.loss
    asks_base = loss is not None and load("losses", loss["rule"]).RULE.needs_base
    passes = 6 if asks_base or settings.training.adapter == "full" else 4
    return trainer, {**throughput(progress, network, passes), "resumed_from_step": resumed}

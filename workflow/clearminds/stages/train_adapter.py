"""Fine-tuning one adapter on one variant's masks with one seed, by transformers' Trainer and PEFT.

What an optimiser step computes is in `training.trainer`, how a killed training goes on in `training.checkpoints`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearminds.files.settings import settings
from clearminds.model.loading import Loading
from clearminds.plugins.load import load

if TYPE_CHECKING:  # the workflow reads `Settings` here, and needs no torch for it
    import pyarrow as pa
    import torch

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
class Settings:
    """What an adapter depends on."""

    training: Training
    seed: int
    loading: Loading


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


def train_adapter(
    model: Path,
    base: Base,
    masks: pa.Table,
    settings: Settings,
    runtime: Runtime,
    gpus: int,
    checkpoints: Checkpoints,
    held_out: list[dict] | None = None,
) -> tuple[WeightedTrainer, dict]:
    """Load a model, put a fresh adapter on it, and train that, or train all of its weights.

    Args:
        model: its folder.
        base: what the adapter's config names as its base.
        masks: table of the contract MASKS.
        settings, runtime: of the stage.
        gpus: devices of the job, a process each.
        checkpoints: of this training; they stay when it ends, until the caller has the adapter on disk.
        held_out: of `training.held_out.held_out_rows`, where `validation_every` asks for their loss.

    Returns:
        the Trainer after training, and what it cost.
    """
    from clearminds.model.load import load_model
    from clearminds.model.throughput import throughput
    from clearminds.stages.training.adapter import add_adapter
    from clearminds.stages.training.trainer import seeded, train

    seeded(settings.seed)
    spread = gpus if runtime.fsdp else 1
    network: torch.nn.Module
    # small steps would round to nothing in weights of fewer bits
    dtype = "float32" if settings.training.adapter == "full" else settings.training.dtype
    network = load_model(model, dtype=dtype, loading=settings.loading, processes=spread)
    network = add_adapter(network, settings.training, base.name, base.revision)
    trainer, progress, resumed = train(network, masks, settings.training, settings.seed, runtime, checkpoints, held_out)
    # operations per parameter and token: forward, backward; of the base where a rule asks it, of weights that learn
    loss = settings.training.loss
    asks_base = loss is not None and load("losses", loss["rule"]).RULE.needs_base
    passes = 6 if asks_base or settings.training.adapter == "full" else 4
    return trainer, {**throughput(progress, network, passes), "resumed_from_step": resumed}

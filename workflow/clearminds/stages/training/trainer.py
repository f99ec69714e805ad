"""The training loop: transformers' Trainer with a weight per token, in place of its labels.

An optimiser step takes `batch_examples` examples; the token budget only splits a step into forward passes. The loss is
the weighted mean over the whole step: every forward pass and every process divides by the step's total weight, or by
another number of the whole step. An online rule puts a loss of its own in place of the weighted one.

A training that was killed goes on from its last whole checkpoint to the same adapter, bit by bit on one machine.
"""

import logging
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast
from torch.utils.data import Dataset
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed

from clearminds.errors import UserError
from clearminds.model.batches import plan
from clearminds.model.transformers_compat import use_one_device, weights_are_spread
from clearminds.model.weighted_loss import WeightedBatch, weighted_token_loss
from clearminds.plugins.load import load
from clearminds.progress import Progress
from clearminds.stages.train_adapter import Runtime, Training
from clearminds.stages.training.adapter import save_trained, trained_parameters
from clearminds.stages.training.amounts import STEP, of_step
from clearminds.stages.training.checkpoints import Checkpoints, disk_errors
from clearminds.stages.training.held_out import HeldOut

log = logging.getLogger("clearminds")

TokenLoss = Callable[[torch.nn.Module, WeightedBatch, torch.Tensor], torch.Tensor]
# by normaliser, what a row of the masks adds to it
COUNTED: dict[str | None, Callable[[dict], float]] = {
    None: lambda row: sum(row["weights"]),
    "kept": lambda row: sum(weight != 0 for weight in row["weights"]),
    "all": lambda row: row["n_response"],
}


class Examples(Dataset):
    """Rows of the contract MASKS as dictionaries of `input_ids`, `weights` and `n_response`."""

    def __init__(self, masks):
        self.masks = masks.select(["input_ids", "weights", "n_response"])

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, index: int) -> dict:
        return self.masks.slice(index, 1).to_pylist()[0]


class WeightedTrainer(Trainer):
    """A Trainer whose batch is one process's part of an optimiser step.

    Args:
        batch_tokens: most tokens of a forward pass, padding included.
        token_loss: model, batch and normaliser to the batch's share of a step's loss.
        counted: what a row adds to the normaliser of its step.

    Attributes:
        first: the adapter's parameters before its training, where it is saved as the difference from them; else None.
    """

    first: dict[str, torch.Tensor] | None = None

    def __init__(
        self,
        *args: *tuple[torch.nn.Module, TrainingArguments],
        batch_tokens: int,
        token_loss: TokenLoss,
        counted: Callable[[dict], float],
        **options: Any,
    ):
        super().__init__(*args, data_collator=_as_list, **options)
        self.train_dataset: Examples
        self.batch_tokens, self.token_loss, self.counted = batch_tokens, token_loss, counted
        self.tokens_seen = 0
        self.amounts: dict[str, float] = {}

    def log(self, logs: dict[str, float], *arguments: Any, **options: Any) -> None:
        """Keep what a step has seen beside its loss, in the history that checkpoints hold."""
        super().log({**logs, **self.amounts} if "loss" in logs else logs, *arguments, **options)

    def training_step(self, model: torch.nn.Module, inputs: dict, num_items_in_batch=None) -> torch.Tensor:
        """Forward and backward of one step; the loss of this process's part, times the processes."""
        model.train()
        rows = self._without_repeats(inputs["rows"])
        processes = self.accelerator.num_processes
        own = [sum(map(self.counted, rows)), *of_step(rows)]
        weight, *amounts = self._over_all(own)
        self.amounts = dict(zip(STEP, map(float, amounts), strict=True))
        total = weight.clamp_min(torch.finfo(torch.float32).tiny).float()
        batches = self._as_many_everywhere(plan([len(row["input_ids"]) for row in rows], self.batch_tokens))
        loss = torch.zeros((), device=self.args.device)
        for n, indices in enumerate(batches):
            batch = WeightedBatch.of([rows[i] for i in indices] or [_unweighted(rows[0])], self.args.device)
            last = n == len(batches) - 1
            with nullcontext() if last else self.accelerator.no_sync(model):
                with self.compute_loss_context_manager():
                    # gradients are averaged over processes, but the normaliser is global already
                    part = self.token_loss(model, batch, total) * processes
                self.accelerator.backward(part)
            loss += part.detach()
            self.tokens_seen += int(batch.attention_mask.sum()) if indices else 0
        return loss

    def save_model(self, output_dir: str | None = None, *_: object, **__: object) -> None:
        """Write what is trained, for a checkpoint; from every process, of which the first one writes."""
        trained = self.accelerator.unwrap_model(self.model)
        save_trained(trained, output_dir or str(self.args.output_dir), is_main_process=self.args.should_save)

    def _over_all(self, numbers: list[float]) -> torch.Tensor:
        """Sums over all processes, float64."""
        own = torch.tensor(numbers, dtype=torch.float64, device=self.args.device)
        return self.accelerator.reduce(own, reduction="sum")

    def _without_repeats(self, rows: list[dict]) -> list[dict]:
        """Take the weight from examples that are repeated to give every process its rows of an epoch's last step."""
        share = self.args.per_device_train_batch_size
        # counted here: accelerate forgets its own `remainder` when a resumed epoch skips the steps that were taken
        left = len(self.train_dataset) % (share * self.accelerator.num_processes)
        if not self.accelerator.gradient_state.end_of_dataloader or not left:
            return rows
        own = left - self.accelerator.process_index * share
        return [row if n < own else _unweighted(row) for n, row in enumerate(rows)]

    def _as_many_everywhere(self, batches: list[list[int]]) -> list[list[int]]:
        """Add empty batches where another process has more: each pass gathers the weights that are spread over all."""
        if not weights_are_spread(self):
            return batches
        counts = self.accelerator.gather(torch.tensor([len(batches)], device=self.args.device))
        return batches + [[]] * (int(counts.max()) - len(batches))


class _Report(TrainerCallback):
    """Plain progress lines in place of the Trainer's bar."""

    def __init__(self):
        # Any stands for None, which they are before the training begins
        self.trainer: WeightedTrainer | Any = None
        self.progress: Progress | Any = None

    def on_train_begin(self, args, state, control, **_):
        self.progress = Progress(state.max_steps, "steps", done=state.global_step)
        if state.global_step and state.is_world_process_zero:
            log.info("resumed at step %d of %d", state.global_step, state.max_steps)
        self.counted = 0

    def on_step_end(self, args, state, control, **_):
        tokens, self.counted = self.trainer.tokens_seen - self.counted, self.trainer.tokens_seen
        self.progress.add(1, tokens)


class _Checkpointing(TrainerCallback):
    """A checkpoint every so many seconds, marked when it is whole."""

    def __init__(self, checkpoints: Checkpoints, seconds: float):
        self.checkpoints, self.seconds = checkpoints, seconds

    def on_train_begin(self, args, state, control, **_):
        self.last = time.monotonic()

    def on_step_end(self, args, state, control, **_):
        # after the last step the adapter itself is saved
        due = time.monotonic() - self.last >= self.seconds and state.global_step < state.max_steps
        # clocks differ, and every process takes part in a save: the first one's clock decides for all
        control.should_save = bool(broadcast(torch.tensor(int(due), device=args.device)))

    def on_save(self, args, state, control, **_):
        PartialState().wait_for_everyone()  # each process writes the state of its own random generators
        if state.is_world_process_zero:
            self.checkpoints.mark(state.global_step)
        self.last = time.monotonic()


def train(
    model: torch.nn.Module,
    masks,
    training: Training,
    seed: int,
    runtime: Runtime,
    checkpoints: Checkpoints,
    steps: int | None = None,
    held_out: list[dict] | None = None,
) -> tuple[WeightedTrainer, Progress, int]:
    """Train the adapter in place, from the last whole checkpoint where there is one.

    Args:
        model: with its adapter on, from `add_adapter`.
        masks: table of the contract MASKS.
        training: what is trained, and how.
        seed: of the order of examples and of dropout; the adapter's first weights are drawn before.
        runtime: how it runs.
        checkpoints: of this training; they stay when it ends, until the caller has the adapter on disk.
        steps: optimiser steps, in the place of epochs; the order of examples goes on in further passes.
        held_out: rows whose loss is taken meanwhile, where `validation_every` asks for it.

    Returns:
        the Trainer after training (its state has the history of every step; processes can no longer reach one
        another), the progress with this run's rate, and the step that this run went on from (0: the beginning).

    Raises:
        UserError: batch_examples cannot be divided by the processes, or the loss is not a number.
        OSError: a checkpoint could not be written; the earlier ones stay.
    """
    # torchrun says how many there are; torch.distributed is only initialised by the Trainer's arguments
    processes = int(os.environ.get("WORLD_SIZE", 1))
    if training.batch_examples % processes:
        raise UserError(
            f"training: batch_examples: {training.batch_examples} must be a multiple of the {processes} processes"
        )
    arguments = TrainingArguments(
        output_dir=str(checkpoints.folder),
        per_device_train_batch_size=training.batch_examples // processes,
        gradient_accumulation_steps=1,
        num_train_epochs=training.epochs,
        max_steps=steps or -1,
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.scheduler,
        warmup_steps=training.warmup_steps,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        bf16=training.dtype == "bfloat16",
        fp16=training.dtype == "float16",
        seed=seed,
        data_seed=seed,
        use_cpu=not torch.cuda.is_available(),
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",  # _Checkpointing says when
        report_to=runtime.report_to,
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_num_workers=0,
        activation_checkpointing=runtime.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if runtime.gradient_checkpointing else None,
        ddp_find_unused_parameters=False,
    )
    use_one_device(arguments)
    checkpoint: Any  # a folder, or None
    with arguments.main_process_first(local=False):
        checkpoint = checkpoints.open()
    report, saving = _Report(), _Checkpointing(checkpoints, runtime.checkpoint_seconds)
    trainer = WeightedTrainer(
        model,
        arguments,
        train_dataset=Examples(masks),
        callbacks=[report, saving],
        batch_tokens=runtime.batch_tokens,
        token_loss=_token_loss(training.loss),
        counted=COUNTED[training.normaliser],
    )
    if training.adapter == "pissa":
        trainer.first = {name: value.detach().clone() for name, value in trained_parameters(model).items()}
    trainer.remove_callback(PrinterCallback)
    report.trainer = trainer
    if training.validation_every:
        trainer.add_callback(HeldOut(trainer, held_out or [], training.validation_every))
    try:
        with disk_errors(checkpoints.folder):
            trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))
    except OSError:
        checkpoints.discard_unmarked()  # gives back the space of the one that did not fit
        raise
    # left to the interpreter's end, gloo's threads now and then abort a process whose work is done
    trainer.accelerator.end_training()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    if not all(torch.isfinite(torch.tensor(losses))):
        raise UserError(
            "training: the loss is not a number any more; lower training: learning_rate, or set dtype: float32"
        )
    return trainer, report.progress, report.progress.done


def seeded(seed: int) -> None:
    """Seed every generator that training draws from: call before the adapter is made."""
    set_seed(seed)


def _token_loss(rule: dict[str, Any] | None) -> TokenLoss:
    return partial(load("losses", rule["rule"]).RULE, settings=rule) if rule else weighted_token_loss


def _unweighted(row: dict) -> dict:
    return {**row, "weights": [0.0] * len(row["weights"]), "n_response": 0}


def _as_list(rows: list[dict]) -> dict:
    # the step is cut into forward passes later, so nothing is padded here
    return {"rows": rows}

"""The loss on held-out references, taken while a variant is trained: what its convergence curve is made of.

It draws no random number and changes no weight, so that an adapter is the same with and without it.
"""

import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers import TrainerCallback

from clearminds.errors import UserError
from clearminds.files.tables import atomic_path
from clearminds.model.batches import plan
from clearminds.model.weighted_loss import WeightedBatch, weighted_token_loss
from clearminds.stages.first_responses import first_responses

log = logging.getLogger("clearminds")

STEP, LOSS, TOKENS = "step", "held_out_loss", "held_out_tokens"  # keys of the Trainer's history
SCHEMA = pa.schema([("step", pa.int32()), ("loss", pa.float64()), ("tokens", pa.int64())])


def held_out_rows(scores: Path, sequences: Path) -> list[dict]:
    """The held-out references as rows of `input_ids` and `weights`, 1 on every response token.

    Args:
        scores, sequences: of the references of a validation split.

    Raises:
        UserError: there is none.
    """
    rows = []
    for found in first_responses(scores, sequences):
        ids, begin, n = found["input_ids"], found["n_prompt"], len(found["logprobs"])
        rows.append({"input_ids": ids, "weights": [0.0] * begin + [1.0] * n + [0.0] * (len(ids) - begin - n)})
    if not rows:
        raise UserError(f"{sequences}: holds no conversation; give the split validation more items, or unset it")
    return rows


def held_out_loss(model: torch.nn.Module, rows: list[dict], batch_tokens: int, device: torch.device) -> float:
    """Mean of -log p over all response tokens, in nats; the model is in evaluation mode meanwhile.

    Args:
        model: what is trained.
        rows: of `held_out_rows`.
        batch_tokens: most tokens of a forward pass.
        device: of the model.
    """
    was_training, total = model.training, 0.0
    model.eval()
    with torch.no_grad():
        for indices in plan([len(row["input_ids"]) for row in rows], batch_tokens):
            batch = WeightedBatch.of([rows[n] for n in indices], device)
            total += float(weighted_token_loss(model, batch, 1.0))
    model.train(was_training)
    return total / _tokens(rows)


def _tokens(rows: list[dict]) -> int:
    return int(sum(sum(row["weights"]) for row in rows))


class HeldOut(TrainerCallback):
    """Takes the loss before the first step, after every so many, and after the last one.

    Every process takes the whole of it, since each forward pass may need all of them.

    Args:
        trainer: a `WeightedTrainer`.
        rows: of `held_out_rows`.
        every: optimiser steps.
    """

    def __init__(self, trainer: Any, rows: list[dict], every: int):
        self.trainer, self.rows, self.every = trainer, rows, every

    def on_train_begin(self, args, state, control, **_):
        if state.global_step == 0:  # a training that goes on has it
            self._take(args, state)

    def on_step_end(self, args, state, control, **_):
        if state.global_step % self.every == 0 or state.global_step == state.max_steps:
            self._take(args, state)

    def _take(self, args, state) -> None:
        with self.trainer.compute_loss_context_manager():
            loss = held_out_loss(self.trainer.model, self.rows, self.trainer.batch_tokens, args.device)
        if state.is_world_process_zero:
            log.info("held-out loss at step %d: %.4f", state.global_step, loss)
        # in the history, which checkpoints keep
        state.log_history.append({STEP: state.global_step, LOSS: loss, TOKENS: _tokens(self.rows)})


def curve(history: list[dict]) -> list[dict]:
    """The curve in a Trainer's history: step, loss, tokens; empty where none was taken."""
    return [{"step": h[STEP], "loss": h[LOSS], "tokens": h[TOKENS]} for h in history if LOSS in h]


def write_curve(path: Path, history: list[dict]) -> bool:
    """Write the curve, where there is one. Returns whether there is."""
    if not (points := curve(history)):
        return False
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(points, schema=SCHEMA), temporary)
    return True

"""What a training has seen: counted in each optimiser step, over all processes, and kept in the Trainer's history."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from transformers import Trainer

STEP = ("examples", "seen_tokens", "kept_tokens")


def of_step(rows: Sequence[dict]) -> list[float]:
    """Of one step's rows the numbers that `STEP` names; rows without response tokens fill a batch up only."""
    counted = [row for row in rows if row["n_response"]]
    tokens = sum(len(row["input_ids"]) for row in counted)
    kept = sum(weight != 0 for row in counted for weight in row["weights"])
    return [float(len(counted)), float(tokens), float(kept)]


def amounts(trainer: Trainer, masks: pa.Table, target: str) -> dict[str, Any]:
    """What a training was made of.

    Args:
        trainer: after training.
        masks: what it was trained on.
        target: the task; rows of other tasks were replayed.

    Returns:
        `examples` of a pass, and of these `replayed` ones; over the whole training `steps`, `examples_seen`,
        `seen_tokens` (of whole conversations) and `kept_tokens` (whose weight is not 0). A training that was resumed
        counts the steps before too.
    """
    steps = [entry for entry in trainer.state.log_history if "loss" in entry]
    sums = {name: int(sum(entry.get(name, 0) for entry in steps)) for name in STEP}
    replayed = sum(task != target for task in masks["task"].to_pylist())
    return {
        "examples": len(masks),
        "replayed": replayed,
        "steps": len(steps),
        "examples_seen": sums.pop("examples"),
        **sums,
    }

"""One optimiser step of a training block: its adapter on the model, its scheduler, a forward and a backward pass."""

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from transformers.integrations import get_reporting_integration_callbacks

from clearminds.errors import UserError, one_line
from clearminds.files import contracts
from clearminds.model.causal_model import CausalModel
from clearminds.model.encoded import Encoded
from clearminds.stages.train_adapter import Runtime, Training
from clearminds.stages.training.adapter import add_adapter
from clearminds.stages.training.checkpoints import Checkpoints
from clearminds.stages.training.trainer import seeded, train

# what transformers and PEFT raise for settings that they do not know or cannot use; memory that runs out is none of it
REFUSALS = (ValueError, TypeError, KeyError, AttributeError, ImportError, NotImplementedError)


def step(model: CausalModel, base: str, example: pa.Table, training: Training, runtime: Runtime) -> CausalModel:
    """Put an adapter on the model, train it for one step, and take it off again.

    Args:
        model: the base, in the dtype of the block.
        base: what it is called.
        example: one row, from `one_example`.
        training: the block, of one step: an epoch of one example.
        runtime: of trainings, without trackers.

    Returns:
        the model without the adapter; of its weights none has changed, but for rounding and that step where PiSSA
        took a part of them into the adapter.

    Raises:
        UserError: the adapter cannot be put on this model, or the scheduler or another setting cannot be used.
    """
    seeded(0)
    before = [value.detach().to("cpu", copy=True) for value in model.parameters()] if training.adapter == "full" else []
    adapted: Any  # PEFT's model around the base
    try:
        adapted = add_adapter(model, training, base)
    except REFUSALS as error:
        raise UserError(
            f"training: adapter: {training.adapter}, target_modules: {training.target_modules}: cannot be put on this "
            f"model ({one_line(error, named=True)}); its linear layers are "
            f"{', '.join(linear_layers(model))}; name some of these, or set all-linear"
        ) from error
    with tempfile.TemporaryDirectory() as scratch:
        checkpoints = Checkpoints(Path(scratch, "checkpoints"), {})
        try:
            train(adapted, example, training, 0, runtime, checkpoints)
        except REFUSALS as error:
            loss = f", loss: {training.loss['rule']}" if training.loss else ""
            raise UserError(
                f"training: a step with adapter: {training.adapter}, scheduler: {training.scheduler}, dtype: "
                f"{training.dtype}{loss} fails on this model ({one_line(error, named=True)}); "
                "change what the reason names"
            ) from error
    if training.adapter == "full":
        for parameter, value in zip(model.parameters(), before, strict=True):
            parameter.data = value.to(parameter.device)
        return model
    return adapted.merge_and_unload() if training.adapter == "pissa" else adapted.unload()


def check_trackers(report_to: str | list[str]) -> None:
    """Make sure that the Trainer can start its trackers, without telling them anything.

    Raises:
        UserError: there is no such tracker, or its package is missing.
    """
    try:
        for tracker in get_reporting_integration_callbacks(report_to):
            tracker()
    except (*REFUSALS, RuntimeError) as error:
        raise UserError(
            f"runtime: report_to: {report_to} cannot be used ({one_line(error, named=True)}); install it where "
            "trainings run, or set none"
        ) from error


def one_example(encoded: Encoded | None, prompt: list[int], limit: int) -> pa.Table:
    """A table of the contract MASKS of one example.

    Args:
        encoded: a conversation, every token of whose response counts; None: there is none that could be encoded.
        prompt: the token ids that count in its place.
        limit: most tokens of what is trained on.
    """
    if encoded is None:
        ids = prompt[:limit]
        weights = [0.0] + [1.0] * (len(ids) - 1)
    else:
        ids, last = encoded.input_ids, encoded.n_prompt + encoded.n_response
        weights = [float(encoded.n_prompt <= n < last) for n in range(len(ids))]
    row = {"task": "", "source": "", "example_id": "", "sample": 0, "input_ids": ids, "weights": weights}
    kept = int(sum(weights))
    return pa.Table.from_pylist([{**row, "n_kept": kept, "n_response": kept}], schema=contracts.MASKS.schema)


def linear_layers(model: CausalModel) -> list[str]:
    """The names that `target_modules` can have on this model, the head's apart."""
    head = model.get_output_embeddings()
    found = (
        name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear) and module is not head
    )
    return sorted({name.rpartition(".")[2] for name in found})

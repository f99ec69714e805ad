"""Where a training begins: from the base, from the adapter of another training, or from the model that one made."""

from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from peft.utils import load_peft_weights

from clearminds.errors import UserError
from clearminds.model.full_weights import is_whole
from clearminds.model.load import load_model
from clearminds.model.loading import Loading
from clearminds.model.lora_linear import compute_at_once
from clearminds.model.short_attention import attend_short
from clearminds.stages.train_adapter import Training
from clearminds.stages.training.adapter import add_adapter
from clearminds.stages.training.base import Base


def begin(
    folder: Path, base: Base, start: Path | None, training: Training, loading: Loading, processes: int
) -> torch.nn.Module:
    """Load what is trained. An adapter is that of the other training, under this one's settings; all weights are those
    of the other training's model, or the base's with its adapter added in float32.

    Args:
        folder: of the base.
        base: what the adapter's config names.
        start: the folder of the other training; None: there is none.
        training: its settings.
        loading, processes: as of `load_model`.
    """
    full = training.adapter == "full"
    # small steps would round to nothing in weights of fewer bits
    dtype = "float32" if full else training.dtype
    if start is None or not full:
        model: Any = load_model(folder, dtype=dtype, loading=loading, processes=processes)
    elif is_whole(start):
        model = load_model(start, dtype=dtype, loading=loading)
    else:
        model = load_model(folder, dtype=dtype, loading=loading, adapter=start)
        model = model.merge_and_unload()
    if loading.attn_implementation is None:  # else the user has chosen
        attend_short(model)
    model = add_adapter(model, training, base.name, base.revision)
    compute_at_once(model)
    if start is not None and not full:
        go_on(model, start)
    return model


def go_on(model: torch.nn.Module, start: Path) -> None:
    """Give a fresh adapter the values of another one.

    Args:
        model: with its adapter, from `add_adapter`.
        start: the other one's folder.

    Raises:
        UserError: they are not of one form.
    """
    found = load_peft_weights(str(start), device="cpu")
    own = get_peft_model_state_dict(model, save_embedding_layers=False)
    if wrong := sorted(name for name in own.keys() | found.keys() if _shape(own, name) != _shape(found, name)):
        raise UserError(
            f"{start}: {wrong[0]} is of shape {_shape(found, wrong[0])} there and {_shape(own, wrong[0])} here; give "
            "both variants the same adapter, rank and target_modules"
        )
    set_peft_model_state_dict(model, found)


def _shape(tensors: dict, name: str) -> list[int] | None:
    return list(tensors[name].shape) if name in tensors else None

"""How vLLM gets what was trained: an adapter as a LoRA request, or, where it cannot take it so, merged into a copy of
the model; a whole model as it is."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from clearminds.model.full_weights import is_whole
from clearminds.model.load import load_model
from clearminds.model.loading import Loading
from clearminds.model.unload import unload

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # what vLLM's max_lora_rank may be


def rank_for(adapter: Path) -> int:
    """The least `max_lora_rank` that takes an adapter."""
    rank = _config(adapter)["r"]
    return next(allowed for allowed in RANKS if allowed >= rank)


def why_merge(adapter: Path) -> str | None:
    """Why vLLM cannot take an adapter as a LoRA request; None: as far as its config tells, it can, or it is a model."""
    if is_whole(adapter):
        return None
    config = _config(adapter)
    if config.get("use_dora"):
        return "vLLM knows no DoRA"
    if config["r"] > RANKS[-1]:
        return f"rank {config['r']} is above vLLM's {RANKS[-1]}"
    return None


@contextmanager
def merged_copy(folder: Path, adapter: Path, *, dtype: str, loading: Loading) -> Iterator[Path]:
    """A temporary folder with the model and the adapter in its weights: added in float32, then rounded to `dtype`.

    Args:
        folder: the model's.
        adapter: a PEFT adapter's folder.
        dtype: of the copy's weights.
        loading: of the config's model.
    """
    with tempfile.TemporaryDirectory(prefix="clearminds-merged-") as copy:
        model = load_model(folder, dtype="float32", loading=loading, adapter=adapter).merge_and_unload()
        model.to(getattr(torch, dtype)).save_pretrained(copy)
        for code in folder.glob("*.py"):
            (Path(copy) / code.name).write_bytes(code.read_bytes())  # of a model that brings its own
        unload(model)
        yield Path(copy)


def _config(adapter: Path) -> dict:
    return json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))

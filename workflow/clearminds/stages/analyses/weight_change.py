"""How far training moved each weight matrix, and in how many directions: norm, singular values, effective rank.

LoRA, rsLoRA and PiSSA (saved as a LoRA) are read off their factors; DoRA and fully trained weights are compared with
the base. Biases and norms' vectors are left out.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from clearminds.files.contracts import WEIGHT_CHANGE
from clearminds.stages.analyses.changes import Change, changes
from clearminds.stages.analyses.singular_values import effective_rank

TABLE = WEIGHT_CHANGE
LARGEST = 64  # singular values of a matrix that are written down


def analyse(files: dict[str, list[dict]]) -> list[dict]:
    """Rows of the contract WEIGHT_CHANGE. Args: `models` (one row) and `adapters`."""
    [model] = files["models"]
    return [row for adapter in files["adapters"] for row in _of_adapter(adapter, Path(model["path"]).parent)]


def _of_adapter(adapter: dict, base: Path) -> Iterator[dict]:
    for change in changes(Path(adapter["path"]).parent, base):
        yield {"variant": adapter["variant"], "seed": adapter["seed"], **measured(change)}


def measured(change: Change) -> dict:
    """The other columns of a row: those of one module."""
    layer, projection = place(change.module)
    return {
        "module": change.module,
        "layer": layer,
        "projection": projection,
        "norm": float(change.values.norm()),
        "largest": float(change.values.max()),
        "effective_rank": effective_rank(change.values),
        "singular_values": change.values[:LARGEST].tolist(),
    }


def place(module: str) -> tuple[int | None, str]:
    """The layer of a module and its name there.

    >>> place("model.layers.3.self_attn.q_proj"), place("model.embed_tokens")
    ((3, 'self_attn.q_proj'), (None, 'embed_tokens'))
    """
    found = re.search(r"\.(\d+)\.(.+)", module)
    return (int(found[1]), found[2]) if found else (None, module.rpartition(".")[2])

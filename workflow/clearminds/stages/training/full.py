"""All weights: what belongs to a model is put beside them."""

import shutil
from pathlib import Path

import torch

OWN = ("model.json", "config.json")  # what a base's folder says of itself
BESIDE = (".json", ".jinja", ".py", ".txt", ".model")


def finish(folder: Path, first: dict[str, torch.Tensor] | None, base: Path | None) -> None:
    """Copy tokenizer, chat template and settings, and code of its own.

    Args:
        folder: what transformers has saved.
        first: unused.
        base: the base's folder; None: nothing is copied.
    """
    for file in sorted(base.iterdir()) if base else ():
        kept = file.suffix in BESIDE and file.name not in OWN and not file.name.endswith(".index.json")
        if kept and not (folder / file.name).exists():
            shutil.copyfile(file, folder / file.name)

"""A PiSSA adapter as an ordinary LoRA adapter of the base as it was.

PiSSA begins with the largest singular values of each weight in the adapter, and takes them out of the base: what was
trained fits that changed base only. The difference from the first values is an adapter of the base itself, of twice the
rank: B A - B0 A0 = [B, -B0] [A; A0]. (PEFT converts alike, from first values in a folder.)
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from clearminds.files.tables import write_json


def finish(folder: Path, first: dict[str, torch.Tensor] | None, base: Path | None) -> None:
    """Rewrite the files of a saved adapter.

    Args:
        folder: what PEFT has saved.
        first: the adapter's parameters before its training, by the model's names.
        base: unused.
    """
    assert first is not None, "the trainer keeps them"
    file, config = folder / "adapter_model.safetensors", folder / "adapter_config.json"
    before = {name.replace(".default.", "."): value.cpu() for name, value in first.items()}
    trained = load_file(file)
    joined = {
        name: torch.cat([value, before[name]], 0) if ".lora_A." in name else torch.cat([value, -before[name]], 1)
        for name, value in trained.items()
    }
    save_file(joined, file, metadata={"format": "pt"})
    found = json.loads(config.read_text(encoding="utf-8"))
    # the scale, alpha over rank, stays
    doubled = {"r": 2 * found["r"], "lora_alpha": 2 * found["lora_alpha"], "init_lora_weights": True}
    write_json(config, {**found, **doubled})

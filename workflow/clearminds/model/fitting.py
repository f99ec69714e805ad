"""The batches that a GPU had room for, kept beside a scorer's scores, so that the next job starts with them."""

import json
from pathlib import Path

from clearminds.files.tables import write_json


def fitting(file: Path, device: str, batch_tokens: int) -> int:
    """Most tokens of a batch. Args: of `remember`; what the config asks for, which is the most."""
    return min(batch_tokens, _found(file).get(device, batch_tokens))


def remember(file: Path, device: str, batch_tokens: int) -> None:
    """Note what a device had room for, where that is less than is noted.

    Args:
        file: a JSON file, made when it is missing.
        device: its name.
        batch_tokens: most tokens of a batch.
    """
    found = _found(file)
    write_json(file, {**found, device: min(batch_tokens, found.get(device, batch_tokens))})


def _found(file: Path) -> dict[str, int]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {str(device): max(1, int(tokens)) for device, tokens in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}  # missing, or not ours: it is found out again

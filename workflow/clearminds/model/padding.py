"""Rows of unequal length as one tensor."""

from collections.abc import Sequence

import torch


def pad(
    rows: Sequence[Sequence[float]], value: float, *, left: bool = False, dtype: torch.dtype = torch.long
) -> torch.Tensor:
    """Rows of unequal length as one tensor [rows, longest], padded with `value`."""
    longest = max(len(row) for row in rows)
    filled = [
        [value] * (longest - len(row)) + list(row) if left else list(row) + [value] * (longest - len(row))
        for row in rows
    ]
    return torch.tensor(filled, dtype=dtype)

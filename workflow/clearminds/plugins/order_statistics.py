"""The k-th smallest of any number of float32 values, exactly, in constant memory: by counting their bits.

A float32's 32 bits, turned so that they order as it does, are counted by their upper half; a second pass counts the
lower halves of those that share the upper half of the one sought.
"""

from collections.abc import Callable, Iterable

import numpy as np

from clearminds.plugins.scores import Scores

SIGN = np.uint32(0x80000000)
Value = Callable[[Scores], np.ndarray]


def count(blocks: Iterable[Scores]) -> int:
    """Tokens of all blocks."""
    return sum(scores.n_tokens for scores in blocks)


def median(value: Value, blocks: Iterable[Scores]) -> float:
    """The lower median. Args: as of `kth_smallest`."""
    return kth_smallest(value, blocks, (count(blocks) + 1) // 2)


def kth_smallest(value: Value, blocks: Iterable[Scores], k: int) -> float:
    """The k-th smallest value of all tokens, by passing over the blocks twice.

    Args:
        value: gives float32 [tokens] of a block, without NaN.
        blocks: of all tokens.
        k: from 1 to the number of tokens.
    """
    upper, before = _bin((_ordered(value(scores)) >> 16 for scores in blocks), k)
    halves = (bits & 0xFFFF for bits in (_ordered(value(s)) for s in blocks) for bits in [bits[bits >> 16 == upper]])
    lower, _ = _bin(halves, k - before)
    bits = np.uint32(upper << 16 | lower)
    return float((bits ^ SIGN if bits & SIGN else ~bits).view(np.float32))


def _ordered(values: np.ndarray) -> np.ndarray:
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return np.where(bits & SIGN, ~bits, bits | SIGN)


def _bin(halves: Iterable[np.ndarray], k: int) -> tuple[int, int]:
    """The 16 bits in which the k-th smallest is, and how many values have smaller ones."""
    counts = np.zeros(2**16, np.int64)
    for bits in halves:
        counts += np.bincount(bits, minlength=2**16)
    sums = np.cumsum(counts)
    found = int(np.searchsorted(sums, k))
    return found, int(sums[found] - counts[found])

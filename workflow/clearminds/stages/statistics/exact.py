"""Tests and intervals of counts, and the correction for many comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import bdtr, ndtri

from clearminds.stages.statistics.intervals import LEVEL
from clearminds.stages.statistics.measured import Numbers


def flips(before: Numbers, after: Numbers) -> tuple[int, int]:
    """How many items went from 1 to 0, and from 0 to 1. Args: right or not, of the same items."""
    return int(((before == 1) & (after == 0)).sum()), int(((before == 0) & (after == 1)).sum())


def mcnemar(lost: int, gained: int) -> float:
    """The two-sided exact p-value that losses and gains are equally likely (McNemar, by the binomial distribution).

    Args: as of `flips`.
    """
    n = lost + gained
    return min(1.0, 2 * float(bdtr(min(lost, gained), n, 0.5))) if n else 1.0


def wilson(right: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, which stays between 0 and 1. Args: how many of n are right."""
    z = float(ndtri((1 + LEVEL) / 2))
    middle = (right + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(right * (n - right) / n + z * z / 4)
    return max(0.0, middle - half), min(1.0, middle + half)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number (Holm, Scandinavian Journal of Statistics 6 (1979) 65), in their order."""
    n = len(p_values)
    order = np.argsort(np.asarray(p_values), kind="stable")
    corrected, least = [0.0] * n, 0.0
    for rank, which in enumerate(order):
        least = max(least, min(1.0, (n - rank) * p_values[which]))
        corrected[which] = least
    return corrected

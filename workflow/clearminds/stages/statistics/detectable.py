"""The minimal detectable difference: the smallest true one that a study of this size finds with a chance of 80 %.

It is that of the test that decides, at the level which is asked for: exact counts, or the interval. Holm's method asks
the first of a family for a p below 5 % / comparisons and no later one for less, so that a difference that is detectable
at this level is found whatever the others show.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, gammaincinv, nctdtrinc, ndtri, stdtridf

from clearminds.stages.statistics.intervals import LEVEL, Spread

POWER = 0.80
PARTS = 10  # of an item: how finely differences are sought
REACH = 7  # standard deviations of the number of flips that are summed over
FAR = 100.0  # a critical t above which its own noise is all that counts


def by_interval(spread: Spread, comparisons: int = 1) -> float:
    """Where a difference is found when its interval leaves 0 out.

    The estimate over its standard error has a noncentral t distribution: the error is estimated too, over seeds with
    few degrees of freedom. These are R - 1 where seeds alone vary and those of items where these alone do; between,
    those for which t has the interval's own quantile. That is within 4 % of the power worked out for both variances.

    Args:
        spread: of the difference.
        comparisons: that share the 5 %.
    """
    p = (1 - LEVEL) / comparisons
    if not spread.error:
        return 0.0
    critical = spread.half_width(p) / spread.error
    free = float(stdtridf(1 - p / 2, critical)) if spread.seeds else spread.items_free
    if critical > FAR:  # scipy does not always come to an end there; to 1 in 1,000 the noise of the error decides
        return spread.error * critical * math.sqrt(2 / free * float(gammaincinv(free / 2, POWER)))
    return spread.error * float(nctdtrinc(free, 1 - POWER, critical))


def by_counts(n: int, fewer: int, scale: float, comparisons: int = 1) -> float | None:
    """Where McNemar's exact test decides.

    Items flip in both directions without any true difference; how many do in each is estimated by the rarer direction
    of the study, to which a difference adds nothing. One flip more than was seen is counted (the rule of succession),
    since none of n seen does not show that none would. A true difference d is a share d of items more in the other
    direction: of n items as many flip as a binomial number with the chance 2 * background + d, and of these each goes
    in the rarer direction with the chance background / (2 * background + d).

    Args:
        n: items, of one task without subtasks.
        fewer: flips in the rarer direction.
        scale: what a difference of all items is in the unit of the claim: 100 for points, 100 / S_base for TI.
        comparisons: that share the 5 %.

    Returns:
        Rounded up to a tenth of an item. None: this many items cannot show any difference at this level.
    """
    items = _items(n, fewer, (1 - LEVEL) / comparisons)
    return None if items is None else scale * items / n


@lru_cache(maxsize=100_000)
def _items(n: int, fewer: int, alpha: float) -> float | None:
    background = (fewer + 1) / (n + 2)
    whole = math.floor(PARTS * n * (1 - 2 * background))
    found = bisect_left(range(whole), POWER, key=lambda part: _power((part + 1) / (PARTS * n), n, background, alpha))
    return None if found == whole else (found + 1) / PARTS


def _power(difference: float, n: int, background: float, alpha: float) -> float:
    """How often the exact test finds a difference, in its own direction."""
    flips = min(1.0, 2 * background + difference)
    width = REACH * math.sqrt(n * flips * (1 - flips)) + 1
    low, high = max(0, math.floor(n * flips - width)), min(n, math.ceil(n * flips + width))
    counts = np.arange(low, high + 1)
    chances = np.diff(bdtr(counts, n, flips), prepend=bdtr(low - 1, n, flips) if low else 0.0)
    most = _most(n, alpha)[low : high + 1]
    found = np.where(most < 0, 0.0, bdtr(np.maximum(most, 0), counts, background / flips))
    return float(chances @ found)


@lru_cache(maxsize=1000)
def _most(n: int, alpha: float) -> NDArray[np.float64]:
    """The largest number of flips in the rarer direction whose p is below alpha, by the number of all; -1: none."""
    flips = np.arange(n + 1)

    def finds(fewer: NDArray[np.float64]) -> NDArray[np.bool_]:
        return (fewer < 0) | (2 * bdtr(np.maximum(fewer, 0), flips, 0.5) < alpha)

    most = np.maximum(-1.0, np.floor((flips - float(ndtri(1 - alpha / 2)) * np.sqrt(flips)) / 2))  # for many flips
    while not (there := finds(most)).all():
        most = np.where(there, most, most - 1)
    while (more := finds(most + 1)).any():
        most = np.where(more, most + 1, most)
    return most

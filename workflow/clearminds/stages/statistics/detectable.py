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
    error = spread.error(p)
    if not error:
        return 0.0
    critical = spread.half_width(p) / error
    free = float(stdtridf(1 - p / 2, critical)) if spread.seeds else spread.items_free
    if critical > FAR:  # scipy does not always come to an end there; to 1 in 1,000 the noise of the error decides
        return error * critical * math.sqrt(2 / free * float(gammaincinv(free / 2, POWER)))
    return error * float(nctdtrinc(free, 1 - POWER, critical))


def by_counts(n: int, flips: tuple[int, int], scale: float, comparisons: int = 1) -> float | None:
    """Where McNemar's exact test decides.

    Items flip in both directions without any true difference, and a difference both adds flips in its direction and
    takes some back from the other. An item is right where its margin is above 0. Between two runs margins move by a
    normal number, whose mean is the difference and whose deviation is the churn; near 0 margins are equally frequent.
    Then a difference d comes with flips back of the share

        back(d) = churn * (pdf(z) - z * cdf(-z)),  z = d / churn

    and flips there of d more, pdf and cdf being the standard normal ones. The churn is the one that gives both shares
    of the study, with one flip more of each than was seen (the rule of succession): none of n seen does not show that
    none would. Of n items a binomial number flips, and of these a binomial number flips back.

    Args:
        n: items, of one task without subtasks.
        flips: lost and gained ones, in any order.
        scale: what a difference of all items is in the unit of the claim: 100 for points, 100 / S_base for TI.
        comparisons: that share the 5 %.

    Returns:
        Rounded up to a tenth of an item. None: this many items cannot show any difference at this level.
    """
    items = _items(n, min(flips), max(flips), (1 - LEVEL) / comparisons)
    return None if items is None else scale * items / n


def back(difference: float, churn: float) -> float:
    """The share of items that flip against a difference, as `by_counts` says. Args: shares of items."""
    z = difference / churn
    return churn * (math.exp(-z * z / 2) / math.sqrt(2 * math.pi) - z * math.erfc(z / math.sqrt(2)) / 2)


def churn_of(fewer: float, more: float) -> float:
    """The churn at which this share of items flips back, and that one there: the inverse of `back`."""
    # the bracket: pdf(0) - z / 2 <= pdf(z) - z * cdf(-z) <= pdf(0)
    low, high = (share * math.sqrt(2 * math.pi) for share in (fewer, (fewer + more) / 2))
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if back(more - fewer, middle) < fewer else (low, middle)
    return (low + high) / 2


@lru_cache(maxsize=100_000)
def _items(n: int, fewer: int, more: int, alpha: float) -> float | None:
    churn, parts = churn_of((fewer + 1) / (n + 2), (more + 1) / (n + 2)), PARTS * n
    found = bisect_left(range(parts), POWER, key=lambda part: _power((part + 1) / parts, n, churn, alpha))
    return None if found == parts else (found + 1) / PARTS


def _power(difference: float, n: int, churn: float, alpha: float) -> float:
    """How often the exact test finds a difference, in its own direction."""
    against = back(difference, churn)
    flips = min(1.0, 2 * against + difference)
    width = REACH * math.sqrt(n * flips * (1 - flips)) + 1
    low, high = max(0, math.floor(n * flips - width)), min(n, math.ceil(n * flips + width))
    counts = np.arange(low, high + 1)
    chances = np.diff(bdtr(counts, n, flips), prepend=bdtr(low - 1, n, flips) if low else 0.0)
    most = _most(n, alpha)[low : high + 1]
    found = np.where(most < 0, 0.0, bdtr(np.maximum(most, 0), counts, against / flips))
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

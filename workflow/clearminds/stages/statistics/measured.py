"""One run's score on one task, with what each item adds to it: all that the statistics need to know of a task.

The influence of item i on a score S says how S would move if the item weighed more: S computed on another sample of n
items is S + the mean of their influences, up to terms in 1/n (the delta method, or infinitesimal jackknife: Efron,
"The jackknife, the bootstrap and other resampling plans", 1982, chapter 6). Influences of one task add up to 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """A score and its items.

    Attributes:
        score: between 0 and 1.
        influence: of each item, in units of the score; the same order of items in all runs.
        free: degrees of freedom of the influences' variance: items less the means that were subtracted.
        step: the influence of an item whose value goes from 0 to 1; 0 where values have no limit.
        right: the items' own values where each is 0 or 1, else None.
    """

    score: float
    influence: Numbers
    free: int
    step: float
    right: Numbers | None


def mean_score(values: Numbers, subtasks: NDArray, score: float) -> Measured:
    """A score that is the unweighted mean over subtasks of the mean over their items.

    Args:
        values: of each item, between 0 and 1.
        subtasks: the name of each item's subtask.
        score: that mean, as it is shown.
    """
    names, which, counts = np.unique(subtasks, return_inverse=True, return_counts=True)
    means = np.bincount(which, weights=values) / counts
    weights = len(values) / (len(names) * counts[which])  # 1 where there is one subtask
    binary = bool(np.isin(values, (0.0, 1.0)).all())
    return Measured(
        score=score,
        influence=weights * (values - means[which]),
        free=len(values) - len(names),
        step=float(weights.max()),
        right=values if binary else None,
    )


def token_score(totals: Numbers, tokens: Numbers, score: float) -> Measured:
    """A score exp(-m) of a mean over tokens, m = sum(totals) / sum(tokens): likelihood and drift.

    Args:
        totals: nats of each item, summed over its tokens.
        tokens: of each item.
        score: exp(-m).
    """
    mean = totals.sum() / tokens.sum()
    return Measured(score, -score * (totals - mean * tokens) / tokens.mean(), len(totals) - 1, 0.0, None)

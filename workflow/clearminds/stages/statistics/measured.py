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
        right: the items' own values where each is 0 or 1, else None.
        step: what an item of a part whose value goes from 0 to 1 adds to the part's influence; 0 where values have no
            limit.
        parts: the places of the items of each subtask: each has a mean of its own, and a variance.
        wrong_answer, format_failure: shares of items that are wrong, in the asked format and in another one; None where
            no format was asked.
    """

    score: float
    influence: Numbers
    right: Numbers | None
    step: float
    parts: tuple[NDArray[np.intp], ...]
    wrong_answer: float | None = None
    format_failure: float | None = None

    def split(self, influences: Numbers) -> tuple[Numbers, ...]:
        """A block [seeds x items] for each part, whose means add up to those of all. Args: float [seeds x items]."""
        n = influences.shape[1]
        return tuple(influences[:, part] * (len(part) / n) for part in self.parts)

    @property
    def free(self) -> tuple[int, ...]:
        """Degrees of freedom of each part's variance: its items less the mean that was subtracted."""
        return tuple(len(part) - 1 for part in self.parts)

    @property
    def steps(self) -> tuple[float, ...]:
        """`step` of each part."""
        return (self.step,) * len(self.parts)


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
        right=values if binary else None,
        step=1 / len(names),
        parts=tuple(np.flatnonzero(which == n) for n in range(len(names))),
    )


def token_score(totals: Numbers, tokens: Numbers, score: float) -> Measured:
    """A score exp(-m) of a mean over tokens, m = sum(totals) / sum(tokens): likelihood and drift.

    Args:
        totals: nats of each item, summed over its tokens.
        tokens: of each item.
        score: exp(-m).
    """
    mean = totals.sum() / tokens.sum()
    influence = -score * (totals - mean * tokens) / tokens.mean()
    return Measured(score, influence, None, 0.0, (np.arange(len(totals)),))

"""A share of tokens in percent, as it is written: 10 % of 30 tokens are 3, without the rounding of floats."""

import math
from fractions import Fraction

import numpy as np

from clearminds.plugins.scores import Scores


def tokens_of(keep: float, tokens: int) -> int:
    """ceil(keep / 100 * tokens)."""
    return math.ceil(Fraction(str(keep)) / 100 * tokens)


def within(keep: float, scores: Scores, values: np.ndarray) -> np.ndarray:
    """float32 [tokens]: 1 on `keep` percent of each response's tokens, rounded up, those of the lowest values.

    Of equal values the earlier token comes first.
    """
    kept = np.array([tokens_of(keep, length) for length in scores.lengths.tolist()])
    return (scores.order(values) < scores.per_token(kept)).astype(np.float32)

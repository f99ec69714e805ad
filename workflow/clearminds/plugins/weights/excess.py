"""A share of the tokens counts, those whose loss is most above a reference model's: what there is to learn, not noise.

Source: Rho-1, arXiv 2404.07965: 1[among the top k % of l - l_ref], there of a batch. `keep` is k; it is rounded, and
ties are settled, as the rule `budget` does it.
"""

from collections.abc import Iterable

import numpy as np

from clearminds.plugins.order_statistics import count, kth_smallest
from clearminds.plugins.scores import Scores
from clearminds.plugins.shares import tokens_of, within

WORDS = ("the {keep} % of tokens, per {per}, whose loss is most above that of {reference}",)


def fit(blocks: Iterable[Scores], parameters: dict) -> dict:
    """Per set, the `threshold` in nats that l_ref - l must not exceed."""
    if parameters["per"] == "response":
        return parameters
    k = tokens_of(parameters["keep"], count(blocks))
    return {**parameters, "threshold": kth_smallest(lambda s: _behind(s, parameters["reference"]), blocks, k)}


def weights(scores: Scores, parameters: dict) -> np.ndarray:
    """float32 [tokens]: 1 on the chosen share. `parameters`: keep, per, reference; per set the fitted threshold."""
    behind = _behind(scores, parameters["reference"])
    if parameters["per"] == "set":
        return (behind <= parameters["threshold"]).astype(np.float32)
    return within(parameters["keep"], scores, behind)


def _behind(scores: Scores, reference: str) -> np.ndarray:
    """float32 [tokens]: l_ref - l, in nats; 0 where both are infinite."""
    with np.errstate(invalid="ignore"):
        found = scores["logprob"] - scores.by(reference)["logprob"]
    return np.where(np.isnan(found), np.float32(0), found)

"""Selective token masking: a token counts when the base model finds it no more surprising than tau.

Source: "Clear Minds Think Alike", arXiv 2501.14315: 1[exp(-logprob) <= tau]. `tau: auto` is this project's own: see
`concentration.knee`.
"""

import math
from collections.abc import Iterable

import numpy as np

from clearminds.plugins.concentration import knee
from clearminds.plugins.scores import Scores

WORDS = ("tokens of perplexity up to {tau}",)
PAPER = 2.5  # the paper's own tau, which suits targets that the base knows


def fit(blocks: Iterable[Scores], parameters: dict) -> dict:
    """`tau: auto` as a number in a text: the perplexity at the knee, but never stricter than the paper's 2.5."""
    if parameters["tau"] != "auto":
        return parameters
    tau = math.exp(min(knee(blocks), 80.0))
    # rounded up to six digits, so that a token at the knee itself is kept
    return {**parameters, "tau": str(PAPER) if tau <= PAPER else f"{tau * (1 + 1e-5):.6g}"}


def weights(scores: Scores, parameters: dict) -> np.ndarray:
    """float32 [tokens]: 1 where float64(-logprob) <= ln(tau), inclusive, else 0. `parameters`: tau, a string."""
    return (scores.loss <= math.log(float(parameters["tau"]))).astype(np.float32)

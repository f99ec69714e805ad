"""Tokens of medium confidence count most: neither those that the base is sure of, nor those that it rules out.

Source: InfoSFT, arXiv 2605.14967: max(0, q (C - ln(q / (1 - q)))), there with q of the model being trained. Here q is
the base's probability, so that the weights are fixed before the training.
"""

import numpy as np

from clearminds.plugins.scores import Scores

WORDS = ("every token, weighted by q (C - ln(q / (1 - q))) where that is above 0, with q its probability and C = {c}",)


def weights(scores: Scores, parameters: dict) -> np.ndarray:
    """float32 [tokens]: max(0, q (C - ln(q / (1 - q)))), q = exp(logprob). `parameters`: c."""
    loss = np.maximum(scores.loss, 0)
    q = np.exp(-loss)
    with np.errstate(divide="ignore", invalid="ignore"):
        # ln(q / (1 - q)) = -loss - ln(1 - q): 1 - q by expm1, as q is near 1 at most tokens
        found = q * (parameters["c"] + loss + np.log(-np.expm1(-loss)))
    found[q == 0] = 0  # the limit, where the loss is infinite or beyond what float64 tells from it
    return np.maximum(found, 0).astype(np.float32)

"""A token counts when its perplexity lies between two thresholds, both included: neither known nor too surprising."""

import math

import numpy as np

from clearminds.plugins.scores import Scores

WORDS = ("tokens of perplexity {tau_low} to {tau_high}",)


def weights(scores: Scores, parameters: dict) -> np.ndarray:
    """float32 [tokens]: 1 where ln(tau_low) <= -logprob <= ln(tau_high). `parameters`: these two, strings."""
    low, high = (math.log(float(parameters[key])) for key in ("tau_low", "tau_high"))
    loss = scores.loss
    return ((loss >= low) & (loss <= high)).astype(np.float32)

"""Selective token masking: a token counts when the base model finds it no more surprising than tau.

Source: "Clear Minds Think Alike", arXiv 2501.14315: 1[exp(-logprob) <= tau].
"""

import math

import numpy as np


def weights(scores: dict[str, np.ndarray], parameters: dict, rng: np.random.Generator) -> np.ndarray:
    """float32 [tokens]: 1 where float64(-logprob) <= ln(tau), inclusive, else 0. `parameters`: tau, a string."""
    return (-scores["logprob"].astype(np.float64) <= math.log(float(parameters["tau"]))).astype(np.float32)

"""Every response token counts 1: plain fine-tuning."""

import numpy as np

from clearminds.plugins.scores import Scores

WORDS = ("every token",)


def weights(scores: Scores, parameters: dict) -> np.ndarray:
    """float32 [tokens] of ones."""
    return np.ones(scores.n_tokens, np.float32)

"""A token counts by how sure the model is at its place, whatever it then finds there."""

import math

import numpy as np

from clearminds.plugins.scores import Scores

WORDS = ("tokens at places of entropy", "of at least {at_least} nats", "of at most {at_most} nats")


def weights(scores: Scores, parameters: dict) -> np.ndarray:
    """float32 [tokens]: 1 where at_least <= entropy <= at_most, in nats. `parameters`: one of them or both."""
    entropy = scores["entropy"].astype(np.float64)  # stored in float16, compared as it is stored
    low, high = parameters.get("at_least", -math.inf), parameters.get("at_most", math.inf)
    return ((entropy >= low) & (entropy <= high)).astype(np.float32)

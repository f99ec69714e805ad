"""Several rules as one: tokens that all of them keep, or any of them, or the product of their weights."""

from functools import reduce

import numpy as np

from clearminds.plugins.rules import apply
from clearminds.plugins.scores import Scores

WORDS = ("{how} of ({of})",)


def weights(scores: Scores, parameters: dict) -> np.ndarray:
    """float32 [tokens].

    Args:
        scores: the block.
        parameters: `of`, the rules; `how`: and (1 where every weight is above 0), or (1 where any is), product.
    """
    found = [apply(scores, rule) for rule in parameters["of"]]
    if parameters["how"] == "product":
        return reduce(np.multiply, found)
    join = np.logical_and if parameters["how"] == "and" else np.logical_or
    return reduce(join, [weight > 0 for weight in found]).astype(np.float32)

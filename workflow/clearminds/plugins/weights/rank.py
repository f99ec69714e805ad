"""A token counts when it is among the model's first choices at its place, whatever its probability."""

import numpy as np

from clearminds.plugins.scores import Scores

WORDS = ("tokens among the model's {top} first choices",)


def weights(scores: Scores, parameters: dict) -> np.ndarray:
    """float32 [tokens]: 1 where rank < top (the first choice has rank 0). `parameters`: top."""
    return (scores["rank"] < parameters["top"]).astype(np.float32)

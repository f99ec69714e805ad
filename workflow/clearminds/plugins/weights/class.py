"""Tokens of certain classes are masked, whatever their perplexity: numbers, symbols, words or identifiers.

The classes are those of `token_classes`. Every other token is of none, and kept.
"""

import numpy as np

from clearminds.plugins.scores import Scores
from clearminds.plugins.token_classes import class_of

WORDS = ("tokens that are no {mask}",)


def weights(scores: Scores, parameters: dict) -> np.ndarray:
    """float32 [tokens]: 0 on tokens of the classes `parameters["mask"]`, else 1."""
    texts = scores["token"]
    # equal texts are one object each in a block, or few
    kept = {text: float(class_of(text) not in parameters["mask"]) for text in set(texts.tolist())}
    return np.fromiter((kept[text] for text in texts), np.float32, len(texts))

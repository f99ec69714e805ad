"""Tokens count the less the more they surprise the base, without a threshold: exp(-loss / temperature).

Source: the sample weights of FLOW (arXiv 2502.02797), whose temperature is the median loss, here for tokens.
"""

from collections.abc import Iterable

import numpy as np

from clearminds.errors import UserError
from clearminds.plugins.order_statistics import median
from clearminds.plugins.scores import Scores

WORDS = ("every token, weighted by exp(-loss / {temperature})",)


def fit(blocks: Iterable[Scores], parameters: dict) -> dict:
    """`temperature: median` as a number: the median loss of all tokens, in nats."""
    if parameters["temperature"] != "median":
        return parameters
    found = median(lambda scores: -scores["logprob"], blocks)
    if found <= 0:
        raise UserError(
            "weights: temperature: median: the median loss of the responses' tokens is 0 nats, as the model is certain "
            "of half of them; write a number above 0"
        )
    return {**parameters, "temperature": found}


def weights(scores: Scores, parameters: dict) -> np.ndarray:
    """float32 [tokens]: exp(logprob / temperature). `parameters`: temperature, in nats."""
    return np.exp(-scores.loss / parameters["temperature"]).astype(np.float32)

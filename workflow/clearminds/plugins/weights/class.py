"""Tokens of certain classes are masked, whatever their perplexity: numbers, symbols, words or identifiers.

Source: the classes of masked tokens in "Clear Minds Think Alike", arXiv 2501.14315; their limits are this project's. A
token is of the first class that fits its text without blanks around it. Every other token is of none, and kept.
"""

import re

import numpy as np

from clearminds.plugins.scores import Scores

WORDS = ("tokens that are no {mask}",)
CLASSES = {
    "numbers": re.compile(r"[-+]?\d[\d.,]*|[.,]\d+"),
    "identifiers": re.compile(r"(?=.*[_\d])\w+|[a-z]+(?:[A-Z][a-z0-9]*)+"),  # snake_case, x1, camelCase
    "words": re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?"),
    "symbols": re.compile(r"[^\w\s]+"),
}


def class_of(text: str) -> str | None:
    """The class of a token by its text; None: of blanks alone, or a mixture such as `(x`.

    >>> class_of(" 12"), class_of(" the"), class_of("):"), class_of("my_sum"), class_of("(x")
    ('numbers', 'words', 'symbols', 'identifiers', None)
    """
    return next((name for name, form in CLASSES.items() if form.fullmatch(text.strip())), None)


def weights(scores: Scores, parameters: dict) -> np.ndarray:
    """float32 [tokens]: 0 on tokens of the classes `parameters["mask"]`, else 1."""
    texts = scores["token"]
    # equal texts are one object each in a block, or few
    kept = {text: float(class_of(text) not in parameters["mask"]) for text in set(texts.tolist())}
    return np.fromiter((kept[text] for text in texts), np.float32, len(texts))

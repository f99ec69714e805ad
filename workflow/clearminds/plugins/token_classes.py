"""Classes of tokens by their text: numbers, identifiers, words and symbols.

A token is of the first class that fits its text without blanks around it. The classes of masked tokens are those of
"Clear Minds Think Alike", arXiv 2501.14315; their limits are this project's.
"""

import re

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

"""A weight rule in words, nested as it is, for model cards, reports and errors."""

from collections.abc import Mapping
from string import Formatter

from clearminds.plugins.load import load


def in_words(parameters: Mapping) -> str:
    """The tokens that count, in words: the rule's WORDS with its settings filled in.

    Args:
        parameters: the rule's name and settings, fitted or not.
    """
    shown = {key: _worded(value) for key, value in parameters.items()}
    phrases = getattr(load("weights", parameters["rule"]), "WORDS", (f"what the rule {parameters['rule']} weights",))
    told = [phrase.format(**shown) for phrase in phrases if _keys(phrase) <= shown.keys()]
    return " ".join([*told, f"(as {shown['scorer']} scores them)"] if "scorer" in shown else told)


def _keys(phrase: str) -> set[str]:
    return {key for _, key, _, _ in Formatter().parse(phrase) if key}


def _worded(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(map(_worded, value))
    return in_words(value) if isinstance(value, dict) and "rule" in value else str(value)

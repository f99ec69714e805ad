"""Rules that give every response token its weight in the loss: one module per rule, resolved by name."""

import importlib
from types import ModuleType


def load(rule: str) -> ModuleType:
    """The module of a weight rule; it has `weights(scores, parameters, rng) -> float32 [tokens]`.

    `scores` holds the token-score columns of one response as NumPy arrays, by name; `parameters` the rule's settings;
    `rng` a NumPy generator of this response's own.
    """
    return importlib.import_module(f"clearminds.weights.{rule}")

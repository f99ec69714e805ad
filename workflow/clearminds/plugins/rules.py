"""Weight rules by name, nested as they are: a rule may hold others, under any of its keys."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from clearminds.plugins.load import load
from clearminds.plugins.scores import BASE, Scores


@dataclass(frozen=True)
class Blocks:
    """The blocks that a rule is fitted to, as one scorer sees them. They can be gone through any number of times."""

    blocks: Iterable[Scores]
    scorer: str | None

    def __iter__(self) -> Iterator[Scores]:
        return (scores.by(self.scorer) for scores in self.blocks)


def apply(scores: Scores, parameters: Mapping) -> np.ndarray:
    """float32 [tokens]: the weights that a rule gives. Args: a block; the rule's name and settings, fitted."""
    return load("weights", parameters["rule"]).weights(scores.by(parameters.get("scorer")), parameters)


def fitted(blocks: Iterable[Scores], parameters: Mapping) -> dict:
    """A rule's settings with what it takes from all responses filled in, and so those of the rules that it holds.

    Args:
        blocks: all responses that are trained on; gone through once or more.
        parameters: the rule's name and settings.
    """
    seen = Blocks(blocks, parameters.get("scorer"))
    # a rule that is imitated belongs to another variant, and never sees this one's scorer
    own = Blocks(blocks, BASE)
    found = {key: _fitted_within(own if key == "like" else seen, value) for key, value in parameters.items()}
    fit = getattr(load("weights", parameters["rule"]), "fit", None)
    return fit(seen, found) if fit else found


def _fitted_within(blocks: Iterable[Scores], value: object) -> object:
    if isinstance(value, list):
        return [_fitted_within(blocks, one) for one in value]
    return fitted(blocks, value) if isinstance(value, dict) and "rule" in value else value

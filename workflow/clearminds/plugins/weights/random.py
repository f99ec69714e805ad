"""The control of a masking rule: as many tokens masked in each response, but drawn at random from its tokens."""

import numpy as np

from clearminds.plugins.rules import apply
from clearminds.plugins.scores import BASE, Scores

WORDS = ("tokens drawn at random, in each response as many as {like}",)


def weights(scores: Scores, parameters: dict) -> np.ndarray:
    """float32 [tokens]: 0 on tokens drawn without replacement, as many as the rule `parameters["like"]` masks."""
    masked = scores.count(apply(scores.by(BASE), parameters["like"]) == 0)
    drawn = np.ones(scores.n_tokens, np.float32)
    for n, (start, length) in enumerate(zip(scores.starts, scores.lengths, strict=False)):
        drawn[start + scores.generator(n).choice(length, size=masked[n], replace=False)] = 0
    return drawn

"""The control of a masking rule: as many tokens masked in each response, but drawn at random from its tokens."""

import numpy as np

from clearminds.plugins.load import load


def weights(scores: dict[str, np.ndarray], parameters: dict, rng: np.random.Generator) -> np.ndarray:
    """float32 [tokens]: 0 on tokens drawn without replacement, as many as the rule `parameters["like"]` masks."""
    like = parameters["like"]
    imitated = load("weights", like["rule"]).weights(scores, like, rng)
    drawn = np.ones(len(imitated), np.float32)
    drawn[rng.choice(len(imitated), size=int((imitated == 0).sum()), replace=False)] = 0
    return drawn

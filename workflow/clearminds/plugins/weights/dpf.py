"""Tokens count whose loss a first training lowered: what it could not learn is left out of the next.

Source: DPF in "Clear Minds Think Alike", arXiv 2501.14315: 1[l_tuned < l - delta]. With the paper's mask, as DPF+STM:
`combine` with `how: and`.
"""

import numpy as np

from clearminds.plugins.scores import Scores

WORDS = ("tokens whose loss under {reference} is lower by more than {delta} nats",)


def weights(scores: Scores, parameters: dict) -> np.ndarray:
    """float32 [tokens]: 1 where l_reference < l - delta, in float64. `parameters`: reference, delta in nats."""
    return (scores.by(parameters["reference"]).loss < scores.loss - parameters["delta"]).astype(np.float32)

"""A control of a masking rule: as many tokens masked in each response, but the most predictable ones.

Source: an ablation of "Clear Minds Think Alike", arXiv 2501.14315. Of equal tokens the earlier one is masked first.
"""

import numpy as np

from clearminds.plugins.rules import apply
from clearminds.plugins.scores import BASE, Scores

WORDS = ("all but the most predictable tokens, in each response as many as {like}",)


def weights(scores: Scores, parameters: dict) -> np.ndarray:
    """float32 [tokens]: 0 on the tokens of lowest loss, as many as the rule `parameters["like"]` masks."""
    masked = scores.count(apply(scores.by(BASE), parameters["like"]) == 0)
    return (scores.order(scores.loss) >= scores.per_token(masked)).astype(np.float32)

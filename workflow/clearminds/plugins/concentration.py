"""Where the loss of a set of responses begins to be concentrated: a threshold chosen from the scores alone.

Sort the tokens by loss, the highest first; the concentration curve is the share of all loss that the first x of them
hold. It is farthest above the diagonal where a token's loss equals the mean, since its slope is loss over mean: tokens
before this knee hold more than their part of the loss. A base that knows little of a target has a high mean, and so a
high threshold. The median guards the other side: where most tokens are beyond the mean, half of them still are kept.
"""

from collections.abc import Iterable

import numpy as np

from clearminds.plugins.order_statistics import median
from clearminds.plugins.scores import Scores


def knee(blocks: Iterable[Scores]) -> float:
    """The larger of the mean and the median loss of all tokens, in nats; infinite losses are left out of the mean."""
    total, n = 0.0, 0
    for scores in blocks:
        loss = scores.loss[np.isfinite(scores["logprob"])]
        total, n = total + float(loss.sum()), n + len(loss)
    return max(total / n if n else 0.0, median(lambda scores: -scores["logprob"], blocks))


def share_up_to(loss: float, blocks: Iterable[Scores]) -> float:
    """The share of all tokens, 0 to 1, whose loss is at most so many nats."""
    below = n = 0
    for scores in blocks:
        below, n = below + int((scores.loss <= loss).sum()), n + scores.n_tokens
    return below / n

"""A share of the tokens counts, those that surprise the base least, of each response or of the whole set.

`keep` is a percentage q. Per response, ceil(q/100 n) of its n tokens are kept, so at least one; of equal losses the
earlier token comes first. Per set, the threshold is the loss of the ceil(q/100 n)th of all n tokens, and every token up
to it is kept, those that equal it too. `keep: auto` is this project's own: the share that lies below the knee, see
`concentration.knee`.
"""

import math
from collections.abc import Iterable

import numpy as np

from clearminds.plugins.concentration import knee, share_up_to
from clearminds.plugins.order_statistics import count, kth_smallest
from clearminds.plugins.scores import Scores
from clearminds.plugins.shares import tokens_of, within

WORDS = ("the {keep} % of tokens of lowest loss, per {per}", "(up to {threshold} nats)")


def fit(blocks: Iterable[Scores], parameters: dict) -> dict:
    """`keep: auto` as a percentage, and per set the `threshold` in nats."""
    keep = parameters["keep"]
    if keep == "auto":
        keep = math.ceil(10**4 * share_up_to(knee(blocks), blocks)) / 100
    found = {**parameters, "keep": keep}
    if parameters["per"] == "set":
        k = tokens_of(keep, count(blocks))
        found["threshold"] = kth_smallest(lambda scores: -scores["logprob"], blocks, k)
    return found


def weights(scores: Scores, parameters: dict) -> np.ndarray:
    """float32 [tokens]: 1 on tokens within the budget. `parameters`: keep, per, and per set the fitted threshold."""
    if parameters["per"] == "set":
        return (scores.loss <= parameters["threshold"]).astype(np.float32)
    return within(parameters["keep"], scores, scores.loss)

"""A user's own formula over the columns of a token's scores, such as `where(entropy < 1.5, 1, exp(logprob))`."""

import numpy as np

from clearminds.plugins.expressions import check as check_formula
from clearminds.plugins.expressions import compute
from clearminds.plugins.scores import Scores

WORDS = ("every token, weighted by {formula}",)
COLUMNS = ("logprob", "entropy", "entropy_top20", "prob_sq_sum", "rank", "position", "token_id")


def check(parameters: dict) -> None:
    """Refuse a formula that cannot be computed. Raises: ValueError, with the place in the formula."""
    check_formula(parameters["formula"], COLUMNS)


def weights(scores: Scores, parameters: dict) -> np.ndarray:
    """float32 [tokens]: the formula's values, a comparison's as 1 and 0. `parameters`: formula."""
    columns = scores.tables[scores.scorer]
    return compute(parameters["formula"], columns, scores.n_tokens).astype(np.float32)

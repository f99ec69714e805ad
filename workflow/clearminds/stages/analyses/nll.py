"""How concentrated the loss is: the share of all negative log-likelihood that the tokens of the highest loss hold.

Of every scored response of a source. Cuts are made at shares of the tokens, and at perplexities, as "Clear Minds Think
Alike" (arXiv 2501.14315) counts them: there a token is above when float64(-logprob) > ln(perplexity).
"""

import math
from pathlib import Path

import numpy as np

from clearminds.files.contracts import NLL_SHARES, TOKEN_SCORES
from clearminds.files.reading import readable
from clearminds.files.scan_table import scan_table

TABLE = NLL_SHARES
PERCENT = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 40, 50, 75, 100)
PERPLEXITIES = (1.5, 2, 2.5, 5, 10, 100, 1000)


def analyse(files: dict[str, list[dict]]) -> list[dict]:
    """Rows of the contract NLL_SHARES. Args: `scores`, one file per source."""
    found = []
    for row in files["scores"]:
        path = Path(row["path"])
        with readable(path):
            logprobs = scan_table(path, TOKEN_SCORES).select("logprob").collect()["logprob"].to_numpy()
        found += [{"source": row["source"], **cut} for cut in concentration(logprobs)]
    return found


def concentration(logprobs: np.ndarray) -> list[dict]:
    """What the tokens of the highest loss hold, by their share and by their perplexity.

    Args:
        logprobs: float32 [tokens], natural log. Tokens of probability 0 have no finite loss, and are left out.
    """
    losses = -np.sort(logprobs[np.isfinite(logprobs)].astype(np.float64))  # falling
    if not len(losses):
        return []
    held = np.concatenate([[0.0], np.cumsum(losses)])
    by_share = [("tokens", min(len(losses), math.ceil(p / 100 * len(losses))), None) for p in PERCENT]
    by_limit = [("perplexity", int((losses > math.log(limit)).sum()), limit) for limit in PERPLEXITIES]
    return [
        {
            "cut": cut,
            "tokens": tokens,
            "token_share": tokens / len(losses),
            "nll_share": float(held[tokens] / held[-1]) if held[-1] > 0 else None,
            "perplexity": math.exp(losses[tokens - 1]) if limit is None else limit,
        }
        for cut, tokens, limit in [*by_share, *by_limit]
    ]

"""InfoSFT: tokens of medium confidence count most, c = max(0, q (C - ln(q / (1 - q)))), q = sg(p).

Nothing counts from q = 1 / (1 + exp(-C)) on, which the model knows, and little that it finds absurd. The largest weight
is 1 at C = 2, of q = 1/2; at C = 3 it is 1.56, of q = .61.

Source: "InfoSFT: Learn More and Forget Less with Information-Aware Token Weighting", arXiv 2605.14967.
"""

from typing import Any

import torch

from clearminds.model.losses.rule import LossRule, Tokens


def coefficients(tokens: Tokens, settings: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The weight with C = `settings["c"]`."""
    logprob = -tokens.terms["nll"]
    q = logprob.exp()
    return {"nll": (q * (settings["c"] - logprob + torch.log1p(-q))).clamp_min(0)}


RULE = LossRule(("nll",), coefficients)

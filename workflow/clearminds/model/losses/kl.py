"""The plain loss with a penalty for leaving the base: c = 1, plus beta * KL(model || base).

The KL is over the whole vocabulary, at the position that predicts a kept token, and is added: it is 0 where model and
base agree, and else raises the loss.

Source: an experiment of "Clear Minds Think Alike", arXiv 2501.14315, whose code subtracts the term and does not shift
it by a token.
"""

from typing import Any

import torch

from clearminds.model.losses.rule import LossRule, Tokens


def coefficients(tokens: Tokens, settings: dict[str, Any]) -> dict[str, torch.Tensor]:
    """1, and `settings["beta"]` times the KL."""
    nll = tokens.terms["nll"]
    return {"nll": torch.ones_like(nll), "kl": torch.full_like(nll, settings["beta"])}


RULE = LossRule(("nll", "kl"), coefficients)

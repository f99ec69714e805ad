"""ProFit: only tokens count that the model gives some probability, c = 1[sg(p) >= threshold].

Source: "ProFit: Leveraging High-Value Signals in SFT via Probability-Guided Token Selection", arXiv 2601.09195, and its
code (threshold 0.1, direction higher).
"""

from typing import Any

import torch

from clearminds.model.losses.rule import LossRule, Tokens


def coefficients(tokens: Tokens, settings: dict[str, Any]) -> dict[str, torch.Tensor]:
    """1 where the model's probability is at least `settings["threshold"]`, else 0."""
    return {"nll": ((-tokens.terms["nll"]).exp() >= settings["threshold"]).float()}


RULE = LossRule(("nll",), coefficients)

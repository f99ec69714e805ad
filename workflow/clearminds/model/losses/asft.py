"""Anchored fine-tuning: dynamic fine-tuning, held near the base: c = sg(p), plus alpha * KL(base || model).

Source: "Anchored Supervised Fine-Tuning", arXiv 2509.23753, and its code: alpha 0.1, `F.kl_div(log_softmax(logits),
softmax(base))`, which is the KL of the base from the model, and the mean of both terms over all response tokens.
"""

from typing import Any

import torch

from clearminds.model.losses.rule import LossRule, Tokens


def coefficients(tokens: Tokens, settings: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The model's probability, and `settings["alpha"]` times the KL."""
    nll = tokens.terms["nll"]
    return {"nll": (-nll).exp(), "kl_of_base": torch.full_like(nll, settings["alpha"])}


RULE = LossRule(("nll", "kl_of_base"), coefficients)

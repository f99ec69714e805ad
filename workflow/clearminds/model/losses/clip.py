"""Token-wise clipping: a token stops to count once it is likelier than the base had it by 1 + epsilon.

c = r * 1[r < 1 + epsilon], r = sg(p / p_base). Of -log p this has the gradient of PPO's clipped surrogate with an
advantage of 1, min(r, clip(r, 1 - epsilon, 1 + epsilon)). Before the first step r is 1 everywhere: the plain loss.

Source: "Proximal Supervised Fine-Tuning", arXiv 2508.17784, which takes the model of some steps before for the base;
"Clipping Low-Probability Tokens in SFT Yields a Generalizable Initialization for RL", ICML 2026.
"""

from typing import Any

import torch

from clearminds.model.losses.rule import LossRule, Tokens


def coefficients(tokens: Tokens, settings: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The ratio where it is below 1 + `settings["epsilon"]`, else 0."""
    ratio = (tokens.terms["base_nll"] - tokens.terms["nll"]).exp()
    # chosen, not multiplied: a ratio that overflows would give 0 * inf
    return {"nll": torch.where(ratio < 1 + settings["epsilon"], ratio, 0.0)}


RULE = LossRule(("nll", "base_nll"), coefficients)

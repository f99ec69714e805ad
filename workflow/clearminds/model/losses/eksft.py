"""Entropy-KL selective fine-tuning: of each response the tokens are left out on which the model is least certain, or
furthest from its base.

c = 0 where a token's entropy or its KL(model || base) is among the highest `top` share of its response, else 1. On the
tokens of high KL, plus `kl` * KL(model || base); on those of high entropy, minus `entropy` * H / ln(vocabulary).

Source: "Entropy-KL Divergence-based Token Masking", arXiv 2605.29303, and its code: top 0.2, both factors 0.05, the
union of both masks, a batch of one example; there each of the three terms is a mean over its own tokens, here all are
over the step's normaliser. The code's KL term has p where ln p belongs, and its factors change by 5 % a step; not here.
"""

from typing import Any

import torch

from clearminds.model.losses.rule import LossRule, Tokens


def coefficients(tokens: Tokens, settings: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Of the three terms. `settings`: `top`, a share, and the factors `kl` and `entropy`."""
    far, unsure = (_highest(tokens.terms[name], tokens.example, settings["top"]) for name in ("kl", "entropy"))
    of_entropy = settings["entropy"] * unsure.float() / torch.log(torch.tensor(float(tokens.vocabulary)))
    return {"nll": (~(far | unsure)).float(), "kl": settings["kl"] * far.float(), "entropy": -of_entropy}


def _highest(values: torch.Tensor, example: torch.Tensor, share: float) -> torch.Tensor:
    """bool [tokens]: the highest `share` of each example, rounded down; of equal values the earlier one."""
    chosen = torch.zeros_like(values, dtype=torch.bool)
    sizes = torch.unique_consecutive(example, return_counts=True)[1].tolist()
    start = 0
    for size in sizes:
        order = values[start : start + size].sort(descending=True, stable=True).indices
        chosen[start + order[: int(size * share)]] = True
        start += size
    return chosen


RULE = LossRule(("nll", "kl", "entropy"), coefficients)

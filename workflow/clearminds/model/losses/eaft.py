"""Entropy-adaptive fine-tuning: tokens count where the model is uncertain, c = (H_top20 / ln 20)^alpha, at most 1.

A token on which the model is sure and the text says otherwise, a confident conflict, hardly counts.

Source: "Entropy-Adaptive Fine-Tuning", arXiv 2601.02151; its code, as in LLaMA-Factory, has the entropy of the 20
likeliest tokens renormalised, over 3.0 in place of ln 20 = 2.9957, and alpha 1.
"""

import math
from typing import Any

import torch

from clearminds.model.losses.rule import LossRule, Tokens
from clearminds.model.losses.terms import TOP


def coefficients(tokens: Tokens, settings: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The normalised entropy to the power of `settings["alpha"]`; 1 everywhere where that is 0."""
    # rounding can bring an entropy below 0, where a power is not a number
    normalised = tokens.terms["entropy_top20"].clamp_min(0) / math.log(min(TOP, tokens.vocabulary))
    return {"nll": normalised ** settings["alpha"]}


RULE = LossRule(("nll", "entropy_top20"), coefficients)

"""Dynamic fine-tuning: a token counts as much as the model already believes in it, c = sg(p).

Source: "On the Generalization of SFT", arXiv 2508.05629, and its code: the mean over all response tokens of
sg(p) * -log p.
"""

from typing import Any

import torch

from clearminds.model.losses.rule import LossRule, Tokens


def coefficients(tokens: Tokens, settings: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The model's probability of each token. `settings`: none."""
    return {"nll": (-tokens.terms["nll"]).exp()}


RULE = LossRule(("nll",), coefficients)

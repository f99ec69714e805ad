"""The weighted token loss: sum of w * l over sum of w, with logits only where w is not 0.

The head runs inside the model's own forward on the positions that predict a token of weight (transformers' boolean
`logits_to_keep`), so that soft-capping, wrappers and distributed training stay right. With weights 0 and 1 it equals
cross-entropy on labels.
"""

from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy

from clearminds.model.padding import pad


@dataclass(frozen=True)
class WeightedBatch:
    """Right-padded sequences: input_ids, attention_mask and weights, each [batch, length]; weights are float32."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    weights: torch.Tensor

    @classmethod
    def of(cls, rows: list[dict], device: torch.device | None = None) -> "WeightedBatch":
        """Collate rows that have `input_ids` and `weights`."""
        return cls(
            pad([row["input_ids"] for row in rows], 0).to(device),
            pad([[1] * len(row["input_ids"]) for row in rows], 0).to(device),
            pad([row["weights"] for row in rows], 0.0, dtype=torch.float32).to(device),
        )


def weighted_token_loss(model: torch.nn.Module, batch: WeightedBatch, normaliser: torch.Tensor | float) -> torch.Tensor:
    """The batch's share of the weighted mean loss.

    Args:
        model: causal language model; its forward takes a boolean `logits_to_keep`.
        batch: of one forward pass.
        normaliser: sum of the weights over the whole optimiser step, every process and micro-batch included.

    Returns:
        scalar: sum over the batch's tokens of weight * -log p, divided by `normaliser`; nats per unit of weight.
    """
    keep, targets, weights = kept_tokens(batch)
    logits = model(
        input_ids=batch.input_ids, attention_mask=batch.attention_mask, logits_to_keep=keep, use_cache=False
    ).logits
    losses = cross_entropy(logits.float(), targets, reduction="none")
    return (losses * weights).sum() / normaliser


def kept_tokens(batch: WeightedBatch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The positions whose next token has a weight, bool [batch, length]; those tokens; and their weights."""
    # the logits at t predict the token at t+1; a first token has nothing that predicts it
    next_weights = batch.weights[:, 1:]
    keep = torch.zeros_like(batch.weights, dtype=torch.bool)
    keep[:, :-1] = next_weights != 0
    counted = keep[:, :-1]
    return keep, batch.input_ids[:, 1:][counted], next_weights[counted]

"""Norms of the gradient that tokens above a perplexity give, against the gradient of all tokens.

Limits cut the tokens into groups. Each group's part of the mean loss is differentiated by itself, and the gradient
above a limit is the sum of those of the groups above: one forward pass, and one backward pass per group with tokens.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from clearminds.model.batches import plan
from clearminds.model.weighted_loss import WeightedBatch, kept_tokens


def measured(model: torch.nn.Module, rows: list[dict], limits: Sequence[float], batch_tokens: int) -> list[dict]:
    """The norms for each limit, of one batch of conversations.

    Args:
        model: its parameters that require a gradient are those it is taken of.
        rows: input_ids, n_prompt, and logprobs of the response tokens, by which these are grouped.
        limits: perplexities, rising. A token is above where float64(-logprob) > ln(limit), as masks have it.
        batch_tokens: most tokens of a forward pass.

    Returns:
        per limit perplexity, tokens, tokens_above, norm, norm_above, norm_rest and cosine, as GRADIENT_NORMS says.
    """
    groups = [token_groups(row["logprobs"], limits) for row in rows]
    parts = group_gradients(model, rows, groups, len(limits) + 1, batch_tokens)
    tokens = sum(map(len, groups))
    found = []
    for n, limit in enumerate(limits):
        above, rest = parts[n + 1 :].sum(0), parts[: n + 1].sum(0)
        norms = [float(vector.norm()) for vector in (above + rest, above, rest)]
        found.append(
            {
                "perplexity": limit,
                "tokens": tokens,
                "tokens_above": int(sum((group > n).sum() for group in groups)),
                **dict(zip(("norm", "norm_above", "norm_rest"), norms, strict=True)),
                "cosine": float(above @ rest) / (norms[1] * norms[2]) if norms[1] * norms[2] else None,
            }
        )
    return found


def token_groups(logprobs: Sequence[float], limits: Sequence[float]) -> np.ndarray:
    """int64 [tokens]: how many limits each token is above. Args: natural logs; perplexities, rising."""
    losses = -np.asarray(logprobs, np.float32).astype(np.float64)
    return np.searchsorted([math.log(limit) for limit in limits], losses, side="left")


def group_gradients(
    model: torch.nn.Module, rows: list[dict], groups: list[np.ndarray], number: int, batch_tokens: int
) -> torch.Tensor:
    """float64 [number, parameters]: each group's part of the gradient of the mean loss over all response tokens.

    Args:
        model, rows, batch_tokens: as of `measured`.
        groups: of the response tokens of each row.
        number: of groups.
    """
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    total = torch.zeros(number, sum(p.numel() for p in learning), dtype=torch.float64, device=learning[0].device)
    tokens = sum(map(len, groups))
    for indices in plan([len(row["input_ids"]) for row in rows], batch_tokens):
        # a group's number is its tokens' weight, from 1 on: so that the positions whose token has one are kept in order
        batch = WeightedBatch.of(
            [{**rows[n], "weights": _marked(rows[n], groups[n])} for n in indices], learning[0].device
        )
        keep, targets, marks = kept_tokens(batch)
        logits = model(
            input_ids=batch.input_ids, attention_mask=batch.attention_mask, logits_to_keep=keep, use_cache=False
        ).logits
        losses = cross_entropy(logits.float(), targets, reduction="none") / tokens
        present = marks.unique().tolist()
        for mark in present:
            part = losses[marks == mark].sum()
            gradients = torch.autograd.grad(part, learning, retain_graph=mark != present[-1])
            total[int(mark) - 1] += torch.cat([gradient.flatten() for gradient in gradients]).double()
    return total


def _marked(row: dict, groups: np.ndarray) -> list[float]:
    marks = [float(group) + 1 for group in groups]
    return [0.0] * row["n_prompt"] + marks + [0.0] * (len(row["input_ids"]) - row["n_prompt"] - len(marks))

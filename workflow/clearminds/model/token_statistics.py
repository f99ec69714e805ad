"""What is kept of each next-token distribution along a response: the arithmetic of scoring, and nothing else."""

import numpy as np
import torch

from clearminds.model.encoded import Encoded
from clearminds.model.head import ChunkedHead
from clearminds.model.padding import pad

# Version of the scores, part of the name of the store's namespace. Raise it when the same model, dtype and tokens give
# other numbers than before, beyond rounding: after a change of a formula here, or of what the logits come from in
# `head`, `padding` or `load`. Code that gives the same numbers keeps it, and so finds what has been computed.
ARITHMETIC = 1


def token_statistics(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """What the tables keep of each next-token distribution.

    Args:
        logits: float32 [tokens, vocabulary].
        targets: the tokens that came, [tokens].

    Returns:
        [tokens, 5], in the order of `STATISTICS`: log-probability, entropy in nats, entropy of the 20 likeliest tokens
        renormalised, sum of squared probabilities, and the target's rank (how many tokens are likelier).
    """
    target_logits = logits.gather(1, targets[:, None])
    rank = (logits > target_logits).sum(1)
    logprobs = logits.log_softmax(-1)
    probs = logprobs.exp()
    # 0 * log 0 counts as 0: a probability that underflows has a finite log-probability here, so no nan arises
    entropy = -(probs * logprobs.clamp_min(torch.finfo(torch.float32).min)).sum(1)
    top = logits.topk(min(20, logits.shape[1]), dim=1).values.log_softmax(-1)
    columns = (
        logprobs.gather(1, targets[:, None])[:, 0],
        entropy,
        -(top.exp() * top).sum(1),
        probs.square().sum(1),
        rank,
    )
    return torch.stack([column.float() for column in columns], dim=1)


def response_positions(members: list[Encoded], length: int) -> torch.Tensor:
    """bool [batch, length]: the positions whose next token is a response token."""
    keep = torch.zeros(len(members), length, dtype=torch.bool)
    for row, member in enumerate(members):
        keep[row, member.n_prompt - 1 : member.n_prompt - 1 + member.n_response] = True
    return keep


def batch_tensors(
    members: list[Encoded], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """input_ids, attention_mask, the positions to keep (each [batch, length]), and the response tokens they predict."""
    input_ids = pad([m.input_ids for m in members], 0)
    attention_mask = pad([[1] * len(m.input_ids) for m in members], 0)
    keep = response_positions(members, input_ids.shape[1])
    targets = torch.tensor([t for m in members for t in m.response_ids])
    return input_ids.to(device), attention_mask.to(device), keep.to(device), targets.to(device)


@torch.inference_mode()
def score_batch(head: ChunkedHead, members: list[Encoded]) -> list[np.ndarray]:
    """Per conversation of a batch a float32 array [response tokens, 5], see `token_statistics`."""
    device = next(head.model.parameters()).device
    input_ids, attention_mask, keep, targets = batch_tensors(members, device)
    parts, start = [], 0
    for logits in head.logits(input_ids, attention_mask, keep):
        parts.append(token_statistics(logits, targets[start : start + len(logits)]))
        start += len(logits)
    rows = torch.cat(parts).cpu().numpy()
    return np.split(rows, np.cumsum([m.n_response for m in members])[:-1])

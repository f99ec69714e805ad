"""What is kept of each next-token distribution along a response: the arithmetic of scoring, and nothing else."""

from collections.abc import Iterable

import numpy as np
import torch

from clearminds.errors import NoNumbers
from clearminds.model.encoded import Encoded
from clearminds.model.head import ChunkedHead
from clearminds.model.no_numbers import name_of
from clearminds.model.padding import pad

# Version of the scores, part of the name of the store's namespace. Raise it when the same model, dtype and tokens give
# other numbers than before, beyond rounding: after a change of a formula here, or of what the logits come from in
# `head`, `padding` or `load`. Code that gives the same numbers keeps it, and so finds what has been computed.
ARITHMETIC = 1
IN_CACHE = 2**18  # logits of the rows that are gone through again and again: 1 MiB, a core's own cache


def token_statistics(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """What the tables keep of each next-token distribution.

    Args:
        logits: float32 [tokens, vocabulary].
        targets: the tokens that came, [tokens].

    Returns:
        [tokens, 5], in the order of `STATISTICS`: log-probability, entropy in nats, entropy of the 20 likeliest tokens
        renormalised, sum of squared probabilities, and the target's rank (how many tokens are likelier).
    """
    rows = len(logits) if logits.is_cuda else max(1, IN_CACHE // logits.shape[1])
    z = logits.new_empty(min(rows, len(logits)), logits.shape[1])
    e = torch.empty_like(z)
    found = [
        _statistics(*part, z[: len(part[0])], e[: len(part[0])])
        for part in zip(logits.split(rows), targets.split(rows), strict=True)
    ]
    return torch.cat(found) if found else logits.new_empty(0, 5)


def _statistics(logits: torch.Tensor, targets: torch.Tensor, z: torch.Tensor, e: torch.Tensor) -> torch.Tensor:
    """`token_statistics` of a few rows. Args: z, e: float32 of the shape of `logits`, written over.

    With z = logits - max and e = exp(z): log p = z_target - log sum e, H = log sum e - sum(e z) / sum e, and
    sum p^2 = sum e^2 / (sum e)^2. One exponential serves all, and nothing cancels, as sum e is at least 1.
    """
    target_logits = logits.gather(1, targets[:, None])
    rank = torch.gt(logits, target_logits, out=z).sum(1)  # exact: a float32 counts to 2^24
    likeliest = _largest(logits, 20)
    highest = likeliest.amax(1, keepdim=True)
    # below -87 e is 0 beside 1 in float32; and 0 times minus infinity is no number
    torch.sub(logits, highest, out=z).clamp_min_(-87.0)
    torch.exp(z, out=e)
    total = e.sum(1)
    log_total = total.log()
    top = likeliest.log_softmax(-1)
    columns = (
        (target_logits - highest)[:, 0] - log_total,
        log_total - torch.linalg.vecdot(e, z) / total,
        -(top.exp() * top).sum(1),
        torch.linalg.vecdot(e, e) / total.square(),
        rank,
    )
    return torch.stack([column.float() for column in columns], dim=1)


def _largest(values: torch.Tensor, k: int, width: int = 64) -> torch.Tensor:
    """The k largest values of each row, in any order: [rows, k], or all where there are fewer.

    They lie in the k groups of `width` neighbours with the largest maxima, so that one pass over a long row suffices.
    """
    whole = values.shape[1] // width * width
    if whole < 4 * k * width:
        return values.topk(min(k, values.shape[1]), dim=1).values
    groups = values[:, :whole].unflatten(1, (-1, width))
    chosen = groups.amax(2).topk(k, dim=1).indices
    few = groups.gather(1, chosen[:, :, None].expand(-1, -1, width)).flatten(1)
    return torch.cat([few, values[:, whole:]], dim=1).topk(k, dim=1).values


def response_positions(members: list[Encoded], length: int) -> torch.Tensor:
    """bool [batch, length]: the positions whose next token is a response token."""
    keep = torch.zeros(len(members), length, dtype=torch.bool)
    for row, member in enumerate(members):
        keep[row, member.n_prompt - 1 : member.n_prompt - 1 + member.n_response] = True
    return keep


def batch_tensors(members: list[Encoded], device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """input_ids, attention_mask, and the positions that predict response tokens, each [batch, length]."""
    input_ids = pad([m.input_ids for m in members], 0)
    attention_mask = pad([[1] * len(m.input_ids) for m in members], 0)
    keep = response_positions(members, input_ids.shape[1])
    return input_ids.to(device), attention_mask.to(device), keep.to(device)


@torch.inference_mode()
def score_batch(head: ChunkedHead, members: list[Encoded]) -> list[np.ndarray]:
    """Per conversation of a batch a float32 array [response tokens, 5], see `token_statistics`."""
    device = next(head.model.parameters()).device
    input_ids, attention_mask, keep = batch_tensors(members, device)
    return statistics_of(head.logits(input_ids, attention_mask, keep), members, head.model)


def statistics_of(chunks: Iterable[torch.Tensor], members: list[Encoded], model: torch.nn.Module) -> list[np.ndarray]:
    """Per conversation a float32 array [response tokens, 5].

    Args:
        chunks: logits of the conversations' response tokens, [some, vocabulary] each.
        members: the conversations.
        model: whose logits they are, for errors.

    Raises:
        NoNumbers: a log-probability is NaN or infinite.
    """
    targets = torch.tensor([t for m in members for t in m.response_ids])
    parts, start = [], 0
    for logits in chunks:
        parts.append(token_statistics(logits, targets[start : start + len(logits)].to(logits.device)))
        start += len(logits)
    rows = torch.cat(parts).cpu().numpy()
    found = np.split(rows, np.cumsum([m.n_response for m in members])[:-1])
    if not np.isfinite(rows[:, 0]).all():
        first = next(m for m, values in zip(members, found, strict=True) if not np.isfinite(values[:, 0]).all())
        begin = f" that begins {first.text[:60]!r}" if first.text else ""
        raise NoNumbers(f"{name_of(model)}: no log-probabilities (NaN or infinite) of a conversation{begin}")
    return found

"""How surprising the model finds every token of a response: one forward pass over the templated conversation.

Token perplexity is exp(-log p(y_t | prompt, y_<t)), natural log; the first response token is conditioned on the prompt,
the end-of-turn token is the last one scored. Source: "Clear Minds Think Alike", arXiv 2501.14315.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

from clearminds import contracts
from clearminds.batches import pad, plan
from clearminds.conversation import Chat, Encoded, MergedPromptError
from clearminds.head import ChunkedHead
from clearminds.progress import Progress

log = logging.getLogger("clearminds")

STATISTICS = ("logprob", "entropy", "entropy_top20", "prob_sq_sum", "rank")


@dataclass(frozen=True)
class Sequence:
    """A response in its templated conversation."""

    example_id: str
    sample: int
    encoded: Encoded


def encode_responses(
    chat: Chat, examples: list[dict], responses: list[dict], limit: int
) -> tuple[list[Sequence], dict]:
    """Tokenise every response after its example's prompt.

    Args:
        chat: the tokenizer with its template.
        examples, responses: rows of the contracts of these names.
        limit: most tokens of a conversation that the model can take.

    Returns:
        the sequences in the order of the responses, and how many were left out: `cut` at generation's length limit
        (they have no end of turn), `too_long` for the model, and `merged`: samples that begin with blanks which the
        tokenizer merges into the prompt.

    Raises:
        UserError: a reference, which its author can mend, merges with its prompt.
    """
    by_id = {row["example_id"]: row for row in examples}
    sequences, left_out = [], {"cut": 0, "too_long": 0, "merged": 0}
    for row in responses:
        if row["finish_reason"] == "length":
            left_out["cut"] += 1
            continue
        messages = by_id[row["example_id"]]["messages"]
        try:
            encoded = chat.encode(messages, row["response"], f"example {row['example_id']}, sample {row['sample']}")
        except MergedPromptError:
            if row["finish_reason"] == "reference":
                raise
            left_out["merged"] += 1
            continue
        if len(encoded.input_ids) > limit:
            left_out["too_long"] += 1
            continue
        sequences.append(Sequence(row["example_id"], row["sample"], encoded))
    return sequences, left_out


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


@torch.inference_mode()
def score(model: torch.nn.Module, encoded: list[Encoded], batch_tokens: int) -> tuple[list[np.ndarray], Progress]:
    """Score the response tokens of each sequence.

    Args:
        model: causal language model in evaluation mode.
        encoded: the conversations; equal ones are computed once.
        batch_tokens: most tokens of a batch.

    Returns:
        per conversation a float32 array [response tokens, 5], see `token_statistics`; and the progress, which knows the
        rate over all tokens of the forward passes.
    """
    unique = {(tuple(e.input_ids), e.n_prompt, e.n_response): e for e in encoded}
    todo = list(unique.values())
    head, progress = ChunkedHead(model), Progress(len(todo), "sequences")
    device = next(model.parameters()).device
    done: dict[tuple, np.ndarray] = {}
    for batch in plan([len(e.input_ids) for e in todo], batch_tokens):
        members = [todo[i] for i in batch]
        statistics = _score_batch(head, members, device)
        for member, rows in zip(members, statistics, strict=True):
            done[(tuple(member.input_ids), member.n_prompt, member.n_response)] = rows
        progress.add(len(members), sum(len(m.input_ids) for m in members))
    return [done[(tuple(e.input_ids), e.n_prompt, e.n_response)] for e in encoded], progress


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


def _score_batch(head: ChunkedHead, members: list[Encoded], device: torch.device) -> list[np.ndarray]:
    input_ids, attention_mask, keep, targets = batch_tensors(members, device)
    parts, start = [], 0
    for logits in head.logits(input_ids, attention_mask, keep):
        parts.append(token_statistics(logits, targets[start : start + len(logits)]))
        start += len(logits)
    rows = torch.cat(parts).cpu().numpy()
    return np.split(rows, np.cumsum([m.n_response for m in members])[:-1])


def measure_noise(model: torch.nn.Module, encoded: list[Encoded], statistics: list[np.ndarray], n: int = 16) -> dict:
    """How far log-probabilities move when sequences are scored alone instead of in batches (nats): mean and worst.

    Worth knowing below float32, where the arithmetic depends on the batch.
    """
    alone, _ = score(model, encoded[:n], batch_tokens=1)
    difference = np.abs(np.concatenate([a[:, 0] - b[:, 0] for a, b in zip(alone, statistics, strict=False)]))
    return {"mean": float(difference.mean()), "max": float(difference.max())}


def score_table(sequences: list[Sequence], statistics: Iterable[np.ndarray]) -> pa.Table:
    """The contract TOKEN_SCORES, one row per response token."""
    columns: dict[str, list] = {name: [] for name in contracts.TOKEN_SCORES.names}
    for sequence, rows in zip(sequences, statistics, strict=True):
        encoded = sequence.encoded
        columns["example_id"] += [sequence.example_id] * len(rows)
        columns["sample"] += [sequence.sample] * len(rows)
        columns["position"] += range(len(rows))
        columns["token_id"] += encoded.response_ids
        columns["token"] += [encoded.text[start:end] for start, end in encoded.spans]
        columns["char_start"] += [start for start, _ in encoded.spans]
        columns["char_end"] += [end for _, end in encoded.spans]
        for name, column in zip(STATISTICS, rows.T, strict=True):
            columns[name].append(column)
    for name in STATISTICS:
        values = np.concatenate(columns[name]) if columns[name] else np.zeros(0, np.float32)
        columns[name] = values.astype(contracts.TOKEN_SCORES.field(name).type.to_pandas_dtype())
    return pa.table(columns, schema=contracts.TOKEN_SCORES)


def sequence_table(sequences: list[Sequence]) -> pa.Table:
    """The contract SEQUENCES."""
    rows = [
        {
            "example_id": s.example_id,
            "sample": s.sample,
            "input_ids": s.encoded.input_ids,
            "n_prompt": s.encoded.n_prompt,
        }
        for s in sequences
    ]
    return pa.Table.from_pylist(rows, schema=contracts.SEQUENCES)

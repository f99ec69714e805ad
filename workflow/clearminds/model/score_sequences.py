"""Scoring conversations at once and for this once: what evaluations do. Training data is scored through the store."""

import numpy as np

from clearminds.model.batches import plan
from clearminds.model.causal_model import CausalModel
from clearminds.model.encoded import Encoded
from clearminds.model.head import ChunkedHead
from clearminds.model.token_statistics import score_batch
from clearminds.progress import Progress


def score(model: CausalModel, encoded: list[Encoded], batch_tokens: int) -> tuple[list[np.ndarray], Progress]:
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
    done: dict[tuple, np.ndarray] = {}
    for batch in plan([len(e.input_ids) for e in todo], batch_tokens):
        members = [todo[i] for i in batch]
        statistics = score_batch(head, members)
        for member, rows in zip(members, statistics, strict=True):
            done[(tuple(member.input_ids), member.n_prompt, member.n_response)] = rows
        progress.add(len(members), sum(len(m.input_ids) for m in members))
    return [done[(tuple(e.input_ids), e.n_prompt, e.n_response)] for e in encoded], progress

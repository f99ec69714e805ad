"""Drift of everyday behaviour: KL(base || adapter), summed over the vocabulary at each token of the base's answers.

The answers are sampled from the base, so the mean over their tokens estimates how far the adapter's next-token
distribution has moved where the base would go. (The likelihood of the base's greedy answers is not a substitute: an
adapter that merely became more certain raises it.)
"""

from dataclasses import replace

import torch

from clearminds.files.digests import digest
from clearminds.model.batches import plan
from clearminds.model.causal_model import CausalModel
from clearminds.model.conversation import Chat
from clearminds.model.encode_responses import Sequence, encode_responses
from clearminds.model.head import ChunkedHead
from clearminds.model.token_statistics import batch_tensors
from clearminds.progress import Progress


@torch.inference_mode()
def evaluate(
    model: CausalModel, chat: Chat, task: str, examples: list[dict], responses: list[dict], batch_tokens: int
) -> list[dict]:
    """Rows of the contract EVALUATION, one per sampled answer.

    Metric `kl`: the sum over the answer's tokens, its end of turn included if it has one, of KL(base || model), in
    nats. A model without an adapter is the base itself, and scores 0.
    """
    cut = {(row["example_id"], row["sample"]) for row in responses if row["finish_reason"] == "length"}
    whole = [{**row, "finish_reason": "stop"} for row in responses if row["response"].strip()]
    sequences, _ = encode_responses(chat, examples, whole, model.config.max_position_embeddings)
    sequences = [_without_end(s) if (s.example_id, s.sample) in cut else s for s in sequences]
    values = _divergences(model, [s.encoded for s in sequences], batch_tokens)
    by_id = {e["example_id"]: e for e in examples}
    text = {(r["example_id"], r["sample"]): r["response"] for r in responses}
    return [
        _row(task, by_id[s.example_id], s, value, text[s.example_id, s.sample])
        for s, value in zip(sequences, values, strict=True)
    ]


def _without_end(sequence: Sequence) -> Sequence:
    # an answer cut at the length limit is text of the base all the same; only its end of turn is the template's
    encoded = sequence.encoded
    return replace(sequence, encoded=replace(encoded, n_response=encoded.n_response - 1, spans=encoded.spans[:-1]))


def _divergences(model: CausalModel, encoded: list, batch_tokens: int) -> list[float]:
    if not hasattr(model, "disable_adapter"):
        return [0.0] * len(encoded)
    device = next(model.parameters()).device
    base_head, head, progress = ChunkedHead(model), ChunkedHead(model), Progress(len(encoded), "answers")
    found: dict[int, float] = {}
    for batch in plan([len(e.input_ids) for e in encoded], batch_tokens):
        members = [encoded[i] for i in batch]
        input_ids, attention_mask, keep = batch_tensors(members, device)
        base_chunks, parts = base_head.logits(input_ids, attention_mask, keep), []
        for logits in head.logits(input_ids, attention_mask, keep):
            with model.disable_adapter():
                base = next(base_chunks).log_softmax(-1)
            parts.append((base.exp() * (base - logits.log_softmax(-1))).sum(-1))
        for i, part in zip(batch, torch.cat(parts).split([m.n_response for m in members]), strict=True):
            found[i] = float(part.double().sum())
        progress.add(len(members), sum(len(m.input_ids) for m in members))
    return [found[i] for i in range(len(encoded))]


def _row(task: str, example: dict, sequence: Sequence, value: float, response: str) -> dict:
    return {
        "eval_task": task,
        "subtask": "",
        "doc_id": f"{sequence.example_id}/{sequence.sample}",
        "doc_hash": digest([example["messages"], sequence.encoded.input_ids]),
        "metric": "kl",
        "filter": "none",
        "score": value,
        "n_tokens": sequence.encoded.n_response,
        "format_ok": None,
        "prompt": example["messages"][-1]["content"],
        "target": "",
        "response": response,
    }

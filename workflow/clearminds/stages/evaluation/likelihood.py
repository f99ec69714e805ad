"""Likelihood of reference text: how probable a model finds the answers people wrote, per token.

Templated like training data; the end-of-turn token is left out, so that only the text counts.
"""

from clearminds.files.digests import digest
from clearminds.model.causal_model import CausalModel
from clearminds.model.conversation import Chat
from clearminds.model.score_sequences import score


def evaluate(model: CausalModel, chat: Chat, task: str, examples: list[dict], batch_tokens: int) -> list[dict]:
    """Rows of the contract EVALUATION, one per example.

    Metric `nll`: the sum over the reference's tokens of -log p, in nats; `n_tokens` says over how many.
    """
    encoded = [chat.encode(e["messages"], e["reference"], f"example {e['example_id']}") for e in examples]
    scored, _ = score(model, encoded, batch_tokens)
    return [
        {
            "eval_task": task,
            "subtask": "",
            "doc_id": example["example_id"],
            "doc_hash": digest([example["messages"], example["reference"]]),
            "metric": "nll",
            "filter": "none",
            "score": -float(rows[:-1, 0].astype("float64").sum()),
            "n_tokens": len(rows) - 1,
            "format_ok": None,
            "prompt": example["messages"][-1]["content"],
            "target": example["reference"],
            "response": "",
        }
        for example, rows in zip(examples, scored, strict=True)
    ]

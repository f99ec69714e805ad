"""Token scores: log-probability, entropies, sum of squares and rank of each response token, in float32.

Peers: the paper's way, one example at a time with all logits and a cross-entropy only; and lm-evaluation-harness'
loglikelihood at its better size of batches, which sums log-probabilities.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import corpus
import torch
from measured import Measured, Places, fastest, measure

from clearminds.model.encoded import Encoded
from clearminds.model.score_sequences import score

BATCH_TOKENS = 1024
BATCHES = (1, 8)  # rows at a time, of which the harness' better one counts
# one response a prompt; and eight of half the length of the prompt, of half as many prompts
KINDS = {"single": corpus.single, "samples": lambda model, items: corpus.samples(model, max(1, items // 2))}


def own(kind: str, items: int, places: Places) -> Measured:
    """This project's scorer."""
    return prepared(places.model, KINDS[kind](places.model, items))()


def prepared(folder: Path, conversations: list[Encoded]) -> Callable[[], Measured]:
    """What measures the scoring of conversations: the model is loaded. Args: its folder; these."""
    model = corpus.model(folder)
    score(model, conversations[:1], BATCH_TOKENS)  # libraries set themselves up

    def work() -> float:
        score(model, conversations, BATCH_TOKENS)
        return float(len(conversations))

    return partial(measure, work, corpus.flops(model, conversations))


@torch.inference_mode()
def one_at_a_time(kind: str, items: int, places: Places) -> Measured:
    """Full logits of one example after the other."""
    model, conversations = corpus.model(places.model), KINDS[kind](places.model, items)

    def losses(some: list[Encoded]) -> None:
        for one in some:
            ids = torch.tensor([one.input_ids])
            logits = model(input_ids=ids, use_cache=False).logits[0, :-1]
            torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")

    def work() -> float:
        losses(conversations)
        return float(len(conversations))

    losses(conversations[:1])
    return measure(work, corpus.flops(model, conversations))


def harness(kind: str, items: int, places: Places) -> Measured:
    """lm-evaluation-harness."""
    from lm_eval.api.instance import Instance

    model, conversations = corpus.model(places.model), KINDS[kind](places.model, items)
    asked = [
        Instance("loglikelihood", {}, corpus.texts(places.model, one), number)
        for number, one in enumerate(conversations)
    ]

    def with_batches_of(rows: int) -> Measured:
        wrapped = corpus.harness(model, places.model, rows)

        def work() -> float:
            wrapped.loglikelihood(asked, disable_tqdm=True)
            return float(len(conversations))

        wrapped.loglikelihood(asked[:1], disable_tqdm=True)
        return measure(work, corpus.flops(model, conversations))

    return fastest(map(with_batches_of, BATCHES))

"""The five statistics of 8,192 tokens over a vocabulary of 256,000: time and memory beside weights and hidden states.

The peer is the usual way: all of log-softmax, probabilities and their products as blocks of [rows, vocabulary], for 256
rows at a time.
"""

import torch
from measured import Measured, Places, measure

from clearminds.model.encoded import Encoded
from clearminds.model.head import ChunkedHead
from clearminds.model.token_statistics import statistics_of

VOCABULARY, WIDTH, ROWS = 256_000, 64, 256


class Head(torch.nn.Module):
    """A head without a body: what `ChunkedHead` needs of a model once it trusts its head."""

    def __init__(self):
        super().__init__()
        self.config = None
        self.embeddings = torch.nn.Linear(WIDTH, VOCABULARY, bias=False)

    def get_output_embeddings(self) -> torch.nn.Module:
        """The head."""
        return self.embeddings


def _given(tokens: int) -> tuple[Head, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return Head(), torch.randn(tokens, WIDTH), torch.randint(0, VOCABULARY, (tokens,))


@torch.inference_mode()
def own(tokens: int, places: Places) -> Measured:
    """This project's head and statistics."""
    model, hidden, targets = _given(tokens)
    conversation = Encoded("", [0, *targets.tolist()], 1, tokens, [])

    def work() -> float:
        statistics_of(ChunkedHead(model).of_hidden(hidden), [conversation])
        return float(tokens)

    return measure(work)


@torch.inference_mode()
def blocks(tokens: int, places: Places) -> Measured:
    """Whole blocks, one after the other."""
    model, hidden, targets = _given(tokens)

    def work() -> float:
        for rows, aims in zip(hidden.split(ROWS), targets.split(ROWS), strict=True):
            logits = model.embeddings(rows)
            rank = (logits > logits.gather(1, aims[:, None])).sum(1)
            logprobs = logits.log_softmax(-1)
            probs = logprobs.exp()
            top = logits.topk(20, dim=1).values.log_softmax(-1)
            found = (rank, (probs * logprobs).sum(1), probs.square().sum(1), (top.exp() * top).sum(1))
            torch.stack([column.float() for column in found])
        return float(tokens)

    return measure(work)

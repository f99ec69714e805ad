"""Logits of the tokens that count, a chunk at a time, in float32.

The language-model head is the widest product of a small model and its output the largest block of any: so it runs on
response tokens only, and never on a whole batch of them. A head that is called apart from the model's own forward could
miss what an architecture does to logits (soft-capping, scaling): the first batch is compared with that forward, and
where they differ the forward itself is used from then on.
"""

import logging
from collections.abc import Iterator

import torch

from clearminds.model.causal_model import CausalModel

log = logging.getLogger("clearminds")

CHUNK = 256  # rows of logits at a time: 50 MB in float32 for a vocabulary of 49,152


class ChunkedHead:
    """Next-token logits of a causal language model at chosen positions.

    Args:
        model: a transformers model, or a PEFT model around one.
        chunk: most rows of logits that exist at a time.
    """

    def __init__(self, model: CausalModel, chunk: int = CHUNK):
        self.model, self.chunk = model, chunk
        self.inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        self.trusted: bool | None = None

    def logits(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, keep: torch.Tensor
    ) -> Iterator[torch.Tensor]:
        """Yield float32 logits [at most `chunk`, vocabulary] for the True positions of `keep`, row by row.

        Args:
            input_ids: [batch, length], padded on the right.
            attention_mask: [batch, length], 0 on padding.
            keep: bool [batch, length].
        """
        if self.trusted is None:
            self.trusted = self._agrees(input_ids)
        if not self.trusted:
            whole = self.model(
                input_ids=input_ids, attention_mask=attention_mask, logits_to_keep=keep, use_cache=False
            ).logits
            yield from whole.float().split(self.chunk)
            return
        hidden = self._hidden(input_ids, attention_mask)[keep]
        for rows in hidden.split(self.chunk):
            yield self._head(rows)

    def _hidden(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        decoder = self.inner.get_decoder()
        return decoder(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).last_hidden_state

    def _head(self, hidden: torch.Tensor) -> torch.Tensor:
        logits = self.inner.get_output_embeddings()(hidden).float()
        cap = getattr(self.inner.config, "final_logit_softcapping", None)
        return torch.tanh(logits / cap) * cap if cap else logits

    def _agrees(self, input_ids: torch.Tensor) -> bool:
        # a few tokens suffice, and cost nothing beside a batch; the first of a right-padded row are not padding
        few = input_ids[:1, :16]
        whole = torch.ones_like(few)
        expected = self.model(input_ids=few, attention_mask=whole, use_cache=False).logits
        found = self._head(self._hidden(few, whole))
        dtype = expected.dtype
        # room for the order of sums: float32 keeps 24 bits of which a head's long sums may cost six
        tolerance = torch.finfo(dtype).eps * expected.abs().max().item() * (64 if dtype == torch.float32 else 4)
        difference = (expected.float() - found).abs().max().item()
        if difference > tolerance:
            log.info(
                "the model's forward does more to logits than its head (off by %.3g): using the forward", difference
            )
        return difference <= tolerance

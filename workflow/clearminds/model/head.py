"""Logits of the tokens that count, a chunk at a time, in float32.

The language-model head is the widest product of a small model and its output the largest block of any: so it runs on
response tokens only, and never on a whole batch of them. A head that is called apart from the model's own forward could
miss what an architecture does to logits (soft-capping, scaling): the first batch is compared with that forward, and
where they differ the forward itself is used from then on.
"""

import logging
from collections.abc import Iterator

import torch

from clearminds.model.causal_model import CausalModel, without_adapter

log = logging.getLogger("clearminds")

CHUNK = 256  # most rows of logits at a time
LEAST = 64  # of these rows: with fewer, reading the head's weights takes longer than its products
# bytes of logits at a time; on a CPU below what malloc maps anew each time, whose pages cost more than the statistics
CHUNK_BYTES = {"cpu": 24 * 2**20, "cuda": 128 * 2**20}
# keys of configs whose value's power multiplies logits: of Cohere, Falcon-H1 and Granite
SCALES = {"logit_scale": 1, "lm_head_multiplier": 1, "logits_scaling": -1}


class ChunkedHead:
    """Next-token logits of a causal language model at chosen positions.

    Args:
        model: a transformers model, or a PEFT model around one.
        chunk: most rows of logits that exist at a time.
    """

    def __init__(self, model: CausalModel, chunk: int = CHUNK):
        self.model, self.chunk = model, chunk
        self.inner = without_adapter(model)
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
        if not self.trusts(input_ids):
            whole = self.model(
                input_ids=input_ids, attention_mask=attention_mask, logits_to_keep=keep, use_cache=False
            ).logits
            yield from whole.float().split(self.chunk)
            return
        yield from self.of_hidden(self._hidden(input_ids)[keep])

    def of_hidden(self, hidden: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield float32 logits [some, vocabulary] of last hidden states [tokens, width], where the head is trusted."""
        vocabulary = self.inner.get_output_embeddings().get_parameter("weight").shape[0]
        fits = CHUNK_BYTES.get(hidden.device.type, CHUNK_BYTES["cuda"]) // (4 * vocabulary)
        for rows in hidden.split(min(self.chunk, max(LEAST, fits))):
            yield self._head(rows)

    def trusts(self, input_ids: torch.Tensor) -> bool:
        """Whether the head called apart gives what the model's forward gives. Args: as of `logits`."""
        if self.trusted is None:
            self.trusted = self._agrees(input_ids)
        return self.trusted

    def _hidden(self, input_ids: torch.Tensor) -> torch.Tensor:
        # what is padded on the right is later than every token that counts, and a causal model never sees it: without
        # a mask attention takes its fastest way
        return self.inner.get_decoder()(input_ids=input_ids, use_cache=False).last_hidden_state

    def _head(self, hidden: torch.Tensor) -> torch.Tensor:
        logits, config = self.inner.get_output_embeddings()(hidden).float(), self.inner.config
        for name, power in SCALES.items():
            if scale := getattr(config, name, None):
                logits = logits * scale**power
        cap = getattr(config, "final_logit_softcapping", None)
        return torch.tanh(logits / cap) * cap if cap else logits

    def _agrees(self, input_ids: torch.Tensor) -> bool:
        # a few tokens suffice, and cost nothing beside a batch; the first of a right-padded row are not padding
        few = input_ids[:1, :16]
        whole = torch.ones_like(few)
        expected = self.model(input_ids=few, attention_mask=whole, use_cache=False).logits
        try:
            found = self._head(self._hidden(few))
        except AttributeError as error:  # what counts as its decoder may be the whole model, as Llama 4 has it
            log.info("the model's decoder gives no last hidden states (%s): using the forward", error)
            return False
        dtype = expected.dtype
        # room for the order of sums: float32 keeps 24 bits of which a head's long sums may cost six
        tolerance = torch.finfo(dtype).eps * expected.abs().max().item() * (64 if dtype == torch.float32 else 4)
        difference = (expected.float() - found).abs().max().item()
        if difference > tolerance:
            log.info(
                "the model's forward does more to logits than its head (off by %.3g): using the forward", difference
            )
        return difference <= tolerance

"""The loss of an online rule: weights of tokens that depend on the model while it is trained, and penalties.

A rule (a module beside this one) names what it must know of each kept token, its terms, and gives each a coefficient:

    loss = sum over tokens of w * sum over terms of c * term, over the step's normaliser

w is the token's weight in the masks. Coefficients are numbers: no gradient goes through them. Logits exist for kept
tokens only, inside the model's own forward, as in `weighted_loss`; what is made of them exists for a few tokens at a
time, and is made again in the backward pass. The base is the same model with its adapter switched off.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from accelerate.utils import extract_model_from_parallel
from torch.utils.checkpoint import checkpoint

from clearminds.model.losses.terms import OF_THE_BASE, TERMS
from clearminds.model.weighted_loss import WeightedBatch, kept_tokens

CHUNK = 256  # tokens at a time: 50 MB for each float32 block of a vocabulary of 49,152


@dataclass(frozen=True)
class Tokens:
    """The kept tokens of a batch, as a rule sees them.

    Attributes:
        terms: those that the rule asked for, float32 [tokens] each, without gradient.
        example: the row of the batch that each is of, ascending.
        vocabulary: how many tokens there are to choose from.
    """

    terms: dict[str, torch.Tensor]
    example: torch.Tensor
    vocabulary: int


@dataclass(frozen=True)
class LossRule:
    """The loss of one online rule.

    Attributes:
        terms: what it must know of a token, keys of `terms.TERMS`.
        coefficients: of the tokens and the rule's settings; float32 [tokens] for each term that is part of the loss.
            What it gives a token may depend on tokens of the same example, and on no others: so that it is the same
            however a step is cut into batches.
    """

    terms: tuple[str, ...]
    coefficients: Callable[[Tokens, dict[str, Any]], dict[str, torch.Tensor]]

    @property
    def needs_base(self) -> bool:
        """Whether a second forward pass, of the base, is needed."""
        return any(term in OF_THE_BASE for term in self.terms)

    def __call__(
        self,
        model: torch.nn.Module,
        batch: WeightedBatch,
        normaliser: torch.Tensor | float,
        settings: dict[str, Any],
        chunk: int = CHUNK,
    ) -> torch.Tensor:
        """The batch's share of the step's loss.

        Args:
            model: causal language model, in training; with an adapter, where the rule needs the base.
            batch: of one forward pass.
            normaliser: of the whole optimiser step, every process and micro-batch included.
            settings: the rule's, by name.
            chunk: most tokens at a time.

        Returns:
            scalar: the sum over the batch's tokens, divided by `normaliser`; nats.
        """
        keep, targets, weights = kept_tokens(batch)
        logits = _logits(model, batch, keep)
        # the last dimension of the base's is not read where there are none
        base = _base_logits(model, batch, keep) if self.needs_base else logits.detach()[:, :0]
        make = partial(_terms, names=self.terms)
        chunks = zip(logits.split(chunk), base.split(chunk), targets.split(chunk), strict=True)
        parts = [checkpoint(make, *part, use_reentrant=False, preserve_rng_state=False) for part in chunks]
        terms = dict(zip(self.terms, map(torch.cat, zip(*parts, strict=True)), strict=True))
        tokens = Tokens({name: term.detach() for name, term in terms.items()}, keep.nonzero()[:, 0], logits.shape[1])
        of_tokens = [given * terms[name] for name, given in self.coefficients(tokens, settings).items()]
        return (torch.stack(of_tokens).sum(0) * weights).sum() / normaliser


def _logits(model: torch.nn.Module, batch: WeightedBatch, keep: torch.Tensor) -> torch.Tensor:
    return model(
        input_ids=batch.input_ids, attention_mask=batch.attention_mask, logits_to_keep=keep, use_cache=False
    ).logits


@torch.no_grad()
def _base_logits(model: torch.nn.Module, batch: WeightedBatch, keep: torch.Tensor) -> torch.Tensor:
    """The logits of the base; comes after the model's own forward, because PEFT takes the adapter's gradients off
    meanwhile, and weights that are spread over processes keep what they find at their first use."""
    inner: Any = extract_model_from_parallel(model)
    # without dropout, and without activations that are computed again
    inner.eval()
    try:
        with inner.disable_adapter():
            return _logits(inner, batch, keep)
    finally:
        inner.train()


def _terms(
    logits: torch.Tensor, base: torch.Tensor, targets: torch.Tensor, *, names: tuple[str, ...]
) -> tuple[torch.Tensor, ...]:
    now, before = logits.float().log_softmax(-1), base.float().log_softmax(-1)
    return tuple(TERMS[name](now, before, targets) for name in names)

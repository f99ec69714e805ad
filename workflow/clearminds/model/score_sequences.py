"""Scoring conversations: what they share runs once, the rest in batches; for the store, and for evaluations."""

import logging
from collections.abc import Sequence
from itertools import chain

import numpy as np
import torch

from clearminds.errors import NoNumbers
from clearminds.model.cache_trials import within_noise
from clearminds.model.causal_model import CausalModel
from clearminds.model.encoded import Encoded
from clearminds.model.head import ChunkedHead
from clearminds.model.outlines import Outlines
from clearminds.model.plain_cache import NO_CACHE
from clearminds.model.shared_prefixes import SharedPrefixes, plan_prefixed, prefix_lengths, without_lone
from clearminds.model.token_statistics import score_batch, statistics_of
from clearminds.progress import Progress

log = logging.getLogger("clearminds")

TRIED = 8  # tokens behind a prefix that are scored with and without it, before a cache is believed
HELD = 2  # keys and values of so many batches' tokens are held at a time


class Scorer:
    """Scores batches of a plan.

    Args:
        model: causal language model in evaluation mode.
        batch_tokens: most tokens of a batch.

    Attributes:
        batch_tokens: halved each time that a batch is too large for the GPU's memory.
    """

    def __init__(self, model: CausalModel, batch_tokens: int):
        self.head, self.batch_tokens = ChunkedHead(model), batch_tokens
        self._prefixes = SharedPrefixes(self.head.inner.get_decoder())
        self._shares: bool | None = None

    def score(self, members: Sequence[Encoded], lengths: Sequence[int]) -> tuple[list[np.ndarray], int]:
        """Score the response tokens of one batch, or of more than fit into one.

        Args:
            members: of the batch.
            lengths: of their prefixes, see `prefix_lengths`; in a float32 model they move no score by more than 1e-4.

        Returns:
            per conversation a float32 array [response tokens, 5], see `token_statistics`; and how many tokens the model
            took.

        Raises:
            torch.OutOfMemoryError: there is no room for the longest of them alone.
        """
        if any(lengths) and not self._shared(members, lengths):
            lengths = [0] * len(members)
        outlines = Outlines.of(members)
        lengths = without_lone(outlines, lengths)
        found: dict[int, np.ndarray] = {}
        tokens, waiting = 0, [list(range(len(members)))]
        while waiting:
            some = waiting.pop()
            parts = plan_prefixed(outlines.take(some), [lengths[n] for n in some], self.batch_tokens)
            batch, *rest = [[some[i] for i in part] for part in parts]
            waiting += [list(chain.from_iterable(rest))] if rest else []
            done = self._if_it_fits([members[n] for n in batch], [lengths[n] for n in batch])
            if done is None:
                waiting.append(batch)
                continue
            found |= dict(zip(batch, done[0], strict=True))
            tokens += done[1]
        return [found[n] for n in range(len(members))], tokens

    def _if_it_fits(self, members: list[Encoded], lengths: list[int]) -> tuple[list[np.ndarray], int] | None:
        """The scores of a batch and the tokens it took; None where memory ran out and the budget is halved."""
        try:
            if any(lengths):
                return self._behind(members, lengths)
            return score_batch(self.head, members), sum(len(m.input_ids) for m in members)
        except torch.OutOfMemoryError:
            if self.batch_tokens <= max(len(m.input_ids) for m in members):
                raise
        # what the failed attempt held is free only now, when its frames are gone
        self._prefixes.forget()
        torch.cuda.empty_cache()
        self.batch_tokens //= 2
        log.warning("out of memory on the GPU: trying again with batches of %d tokens", self.batch_tokens)
        return None

    @torch.inference_mode()
    def _behind(self, members: list[Encoded], lengths: list[int]) -> tuple[list[np.ndarray], int]:
        parts, tokens = self._prefixes.hidden(members, lengths, HELD * self.batch_tokens)
        found: dict[int, np.ndarray] = {}
        for part, hidden in parts:
            chosen = [members[n] for n in part]
            found |= dict(zip(part, statistics_of(self.head.of_hidden(hidden), chosen, self.head.model), strict=True))
        return [found[n] for n in range(len(members))], tokens

    def _shared(self, members: Sequence[Encoded], lengths: Sequence[int]) -> bool:
        """Whether the model's cache gives what it gives without: tried once, on two prefixes of different lengths."""
        if self._shares is None:
            by_length = {length: member for member, length in zip(members, lengths, strict=True) if length}
            short, long = min(by_length), max(by_length)
            if short == long and long > 1:  # so that the shorter one is padded
                short = long // 2
                by_length[short] = by_length[long]
            few = [(_cut(by_length[n], n), n) for n in {short, long}]
            self._shares = self._agrees(*map(list, zip(*few, strict=True)))
        return self._shares

    def _agrees(self, members: list[Encoded], lengths: list[int]) -> bool:
        apart = np.concatenate(score_batch(self.head, members))
        if not self.head.trusted:
            return False
        try:
            shared = np.concatenate(self._behind(members, lengths)[0])
        except (*NO_CACHE, NoNumbers, torch.OutOfMemoryError) as error:
            log.info("the model's cache cannot be shared (%s): every conversation runs whole", error)
            return False
        off = _apart(shared, apart)
        agrees = within_noise(off, next(self.head.model.parameters()).dtype, lambda: self._noise(members, apart))
        if not agrees:
            log.info("the model's cache gives other results (off by %.3g): every conversation runs whole", off)
        return agrees

    def _noise(self, members: list[Encoded], together: np.ndarray) -> float:
        """What a batch of one moves of scores that were found in a batch of all."""
        return _apart(np.concatenate([rows for one in members for rows in score_batch(self.head, [one])]), together)


def _apart(left: np.ndarray, right: np.ndarray) -> float:
    """Root mean square of the difference of two columns of log-probabilities, in nats; NaN where one is."""
    return float(np.sqrt(np.square(left[:, 0] - right[:, 0]).mean()))


def _cut(member: Encoded, prefix: int) -> Encoded:
    """A conversation cut soon after its prefix, and with no more of a prompt than that."""
    ids = member.input_ids[: min(prefix + TRIED, member.n_prompt + member.n_response)]
    return Encoded("", ids, prefix, len(ids) - prefix, [])


def score(
    model: CausalModel, encoded: Sequence[Encoded], batch_tokens: int, *, share: bool = True
) -> tuple[list[np.ndarray], Progress]:
    """Score the response tokens of each conversation, at once and for this once.

    Args:
        model: causal language model in evaluation mode.
        encoded: the conversations; equal ones are computed once.
        batch_tokens: most tokens of a batch.
        share: whether what conversations begin with runs once for all of them.

    Returns:
        per conversation a float32 array [response tokens, 5], see `token_statistics`; and the progress, which knows the
        rate over all tokens of the forward passes.
    """
    unique = {(tuple(e.input_ids), e.n_prompt, e.n_response): e for e in encoded}
    todo = list(unique.values())
    outlines = Outlines.of(todo)
    lengths = prefix_lengths(todo, outlines) if share else [0] * len(todo)
    scorer, progress = Scorer(model, batch_tokens), Progress(len(todo), "sequences")
    done: dict[tuple, np.ndarray] = {}
    for batch in plan_prefixed(outlines, lengths, batch_tokens):
        members = [todo[n] for n in batch]
        found, tokens = scorer.score(members, [lengths[n] for n in batch])
        for member, rows in zip(members, found, strict=True):
            done[(tuple(member.input_ids), member.n_prompt, member.n_response)] = rows
        progress.add(len(members), tokens)
    return [done[(tuple(e.input_ids), e.n_prompt, e.n_response)] for e in encoded], progress

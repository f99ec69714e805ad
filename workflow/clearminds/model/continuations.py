"""Log-likelihoods of several continuations of a prompt, which share its forward pass.

What all prompts begin with runs once, as the system turn and the first words of a question do; then what is left of
each prompt, and its keys and values are kept; the continuations go on from these. Where a model has no such cache, or
another result with it, every continuation runs behind its own copy of the prompt.
"""

import logging
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from clearminds.errors import NoNumbers
from clearminds.model.batches import plan
from clearminds.model.cache_trials import within_noise
from clearminds.model.causal_model import CausalModel
from clearminds.model.encoded import Encoded
from clearminds.model.no_numbers import name_of
from clearminds.model.padding import pad
from clearminds.model.plain_cache import NO_CACHE, begun, copies, require_plain
from clearminds.model.score_sequences import score
from clearminds.model.shared_prefixes import worth_sharing
from clearminds.progress import Progress

log = logging.getLogger("clearminds")

Item = tuple[list[int], list[list[int]]]  # token ids of a prompt, and of each of its continuations
LOGITS = 512  # rows of logits of a batch at most: 100 MB in float32 for a vocabulary of 49,152
CHUNK = 64  # of these rows, how many are normalised at a time


def log_likelihoods(model: CausalModel, items: Sequence[Item], batch_tokens: int) -> list[list[float]]:
    """The natural log of the probability of each continuation behind its prompt, summed over its tokens in float32.

    In a float32 model neither the batch nor the other continuations move one by more than 1e-4.

    Args:
        model: causal language model in evaluation mode.
        items: none of the prompts and continuations is empty.
        batch_tokens: most tokens of a batch, a prompt counted for each of its continuations.

    Raises:
        NoNumbers: one is NaN or infinite.
    """
    items = list(items)
    if not items:
        return []
    shared = _way(model, items)
    found: dict[int, list[float]] = {}
    progress = Progress(len(items), "items")
    costs = [_cost(item, batch_tokens) for item in items]
    budget, waiting = batch_tokens, plan(costs, batch_tokens)[::-1]
    while waiting:
        batch = waiting.pop()
        members = [items[i] for i in batch]
        values = _if_it_fits(shared, members) if shared else _apart(model, members, batch_tokens)
        if values is None and len(batch) > 1:
            # what the failed attempt held is free only now, when its frames are gone
            torch.cuda.empty_cache()
            budget = max(1, budget // 2)
            log.warning("out of memory on the GPU: trying again with batches of %d tokens", budget)
            left = sorted(i for some in [batch, *waiting] for i in some)
            waiting = [[left[n] for n in some] for some in plan([costs[i] for i in left], budget)][::-1]
            continue
        if values is None:
            torch.cuda.empty_cache()
            values = _apart(model, members, batch_tokens)  # a continuation at a time, if need be
        for i, likelihoods in zip(batch, values, strict=True):
            if not np.isfinite(likelihoods).all():
                raise NoNumbers(f"{name_of(model)}: no log-likelihoods (NaN or infinite) of a continuation", i)
        found |= dict(zip(batch, values, strict=True))
        progress.add(len(batch), sum(len(prompt) + sum(map(len, ends)) for prompt, ends in members))
    return [found[i] for i in range(len(items))]


def _cost(item: Item, batch_tokens: int) -> int:
    """Tokens of a batch that an item takes, or its share of the logits where that is larger."""
    prompt, ends = item
    going_on = [end for end in ends if len(end) > 1]
    tokens = max(len(prompt), len(going_on) * (len(prompt) + max(map(len, ends)) - 1))
    logits = 1 + sum(len(end) - 1 for end in going_on)
    return max(tokens, -(-logits * batch_tokens // LOGITS))


def _if_it_fits(shared: "_Shared", members: list[Item]) -> list[list[float]] | None:
    try:
        return shared.of(members)
    except torch.OutOfMemoryError:
        return None


class _Shared:
    """Continuations that go on from the cache of their prompt, and prompts that do from the cache of their beginning.

    Args:
        model: as of `log_likelihoods`.
        items: all that will be asked for.
        common: how many tokens all their prompts begin with, which run once; 0: prompts run whole.

    Raises:
        NotImplementedError: the model's cache cannot be gone on from.
    """

    def __init__(self, model: CausalModel, items: list[Item], common: int):
        self.model, self.common, self.device = model, common, next(model.parameters()).device
        room = max(len(prompt) for prompt, _ in items) + max(len(end) for _, ends in items for end in ends)
        self.beginning = begun(model, items[0][0][:common], room) if common else None

    @torch.inference_mode()
    def of(self, items: list[Item]) -> list[list[float]]:
        """Log-likelihoods of a batch, as of `log_likelihoods`."""
        prompts = [prompt[self.common :] for prompt, _ in items]
        input_ids = pad(prompts, 0, left=True).to(self.device)
        mask = pad([[1] * len(prompt) for prompt in prompts], 0, left=True)
        mask = torch.cat([torch.ones(len(items), self.common, dtype=mask.dtype), mask], dim=1).to(self.device)
        places = (mask.cumsum(-1) - 1).clamp_min(0)
        first = torch.zeros(len(items), dtype=torch.long, device=self.device)
        output = self.model(
            input_ids=input_ids,
            attention_mask=mask,
            position_ids=places[:, self.common :],
            past_key_values=copies(self.beginning, first) if self.beginning else None,
            use_cache=True,
            logits_to_keep=1,
        )
        owner = [i for i, (_, ends) in enumerate(items) for _ in ends]
        every = [end for _, ends in items for end in ends]
        firsts = torch.tensor([end[0] for end in every])
        totals = _logprobs(output.logits[:, -1], torch.tensor(owner), firsts).double()
        longer = [row for row, end in enumerate(every) if len(end) > 1]
        if longer:
            rows = torch.tensor([owner[row] for row in longer], device=self.device)
            cache = output.past_key_values
            require_plain(self.model, cache)
            cache.batch_select_indices(rows)
            # the last token of a continuation predicts nothing that counts
            given = pad([every[row][:-1] for row in longer], 0).to(self.device)
            there = pad([[1] * (len(every[row]) - 1) for row in longer], 0).to(self.device)
            logits = self.model(
                input_ids=given,
                attention_mask=torch.cat([mask[rows], there], dim=1),
                position_ids=places[rows, -1:] + 1 + torch.arange(given.shape[1], device=self.device),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=there.bool(),
            ).logits
            targets = torch.tensor([token for row in longer for token in every[row][1:]])
            of_row = torch.tensor([row for row in longer for _ in every[row][1:]])
            totals.index_add_(0, of_row, _logprobs(logits, torch.arange(len(targets)), targets).double())
        values = iter(totals.tolist())
        return [[next(values) for _ in ends] for _, ends in items]


def _logprobs(logits: torch.Tensor, rows: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """float32 [n] on the CPU. Args: logits [rows, vocabulary]; row and token of each that is asked for."""
    parts = []
    for start in range(0, len(logits), CHUNK):
        here = (rows >= start) & (rows < start + CHUNK)
        logprobs = logits[start : start + CHUNK].float().log_softmax(-1)
        parts.append(logprobs[(rows[here] - start).to(logits.device), tokens[here].to(logits.device)].cpu())
    # rows come in their order, so that the parts do too
    return torch.cat(parts)


def _apart(model: CausalModel, items: list[Item], batch_tokens: int) -> list[list[float]]:
    whole = [
        Encoded("", [*prompt, *end], len(prompt), len(end), [(0, 0)] * len(end))
        for prompt, ends in items
        for end in ends
    ]
    scored, _ = score(model, whole, batch_tokens)
    values = iter([float(rows[:, 0].astype("float64").sum()) for rows in scored])
    return [[next(values) for _ in ends] for _, ends in items]


def _ends(ends: list[list[int]]) -> list[list[int]]:
    return [min((end for end in ends if len(end) > 1), key=len, default=ends[0]), max(ends, key=len)]


def _way(model: CausalModel, items: list[Item]) -> _Shared | None:
    """What shares most of what a model runs and gives what it gives without; None: nothing does.

    Tried on the shortest and the longest item together, of each with its longest continuation and the shortest one
    that uses the cache: of a task of few items all would be a third of the work. Where that is the same one it runs
    twice, as rows of the cache are copied for every item.
    """
    by_length = sorted(items, key=lambda item: len(item[0]))
    few = [(prompt, _ends(ends)) for prompt, ends in (by_length[0], by_length[-1])]
    apart = None
    for common in dict.fromkeys((worth_sharing([prompt for prompt, _ in items]), 0)):
        try:
            shared = _Shared(model, items, common)
            found = shared.of(few)
        except (*NO_CACHE, torch.OutOfMemoryError) as error:
            log.info("the model's cache cannot be shared (%s): %s", error, _instead(common))
            continue
        apart = apart or _apart(model, few, max(len(prompt) for prompt, _ in few))
        off, dtype = _off(few, found, apart), next(model.parameters()).dtype
        if within_noise(off, dtype, partial(_noise, model, few, apart)):
            return shared
        log.info("the model's cache gives other results (off by %.3g): %s", off, _instead(common))
    return None


def _noise(model: CausalModel, items: list[Item], together: list[list[float]]) -> float:
    """What a batch of one moves of values that were found in larger ones."""
    return _off(items, _apart(model, items, 1), together)


def _off(items: list[Item], left: list[list[float]], right: list[list[float]]) -> float:
    """By how many nats a token two results differ at most; NaN where one is."""
    lengths = np.array([len(end) for _, ends in items for end in ends])
    return float(np.abs((np.concatenate(left) - np.concatenate(right)) / lengths).max())


def _instead(common: int) -> str:
    return "every prompt runs whole" if common else "every choice runs with its own prompt"

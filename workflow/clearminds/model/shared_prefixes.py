"""Hidden states of sequences behind prefixes that several of them begin with: a prefix runs once, its keys and values
are kept, and what follows goes on from these.

Samples of one prompt share that prompt; conversations that share none still begin with the same system turn.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from clearminds.model.batches import plan_groups, plan_tight
from clearminds.model.encoded import Encoded
from clearminds.model.outlines import Outlines
from clearminds.model.padding import pad
from clearminds.model.plain_cache import copies, require_plain

WORTH = 0.1  # share of the tokens that a prefix must save: going on from a cache has its own cost


def prefix_lengths(encoded: Sequence[Encoded], outlines: Outlines) -> list[int]:
    """How many tokens of each conversation are run once, for all that begin with them; 0: none.

    Args:
        encoded: all conversations of a job.
        outlines: theirs.

    Returns:
        the length of its prompt, where other responses to that save enough; else of what all the rest have in common.
    """
    prompts: dict[int, list[int]] = defaultdict(list)
    for n, prompt in enumerate(outlines.prompt.tolist()):
        prompts[prompt].append(n)
    found = [0] * len(outlines)
    for members in prompts.values():
        length = int(outlines.n_prompt[members[0]])
        if _pays(length, outlines, members):
            for n in members:
                found[n] = length
    alone = [n for n, length in enumerate(found) if not length]
    if alone and _pays(common := _common_length(encoded, outlines, alone), outlines, alone):
        for n in alone:
            found[n] = common
    return found


def without_lone(outlines: Outlines, lengths: Sequence[int]) -> list[int]:
    """The same lengths, but 0 for prompts that only one of these conversations has: that one runs whole."""
    prompts, n_prompt = outlines.prompt.tolist(), outlines.n_prompt.tolist()
    counts = Counter(prompts)
    return [
        0 if length == own and counts[prompt] == 1 else length
        for length, own, prompt in zip(lengths, n_prompt, prompts, strict=True)
    ]


def _pays(prefix: int, outlines: Outlines, members: list[int]) -> bool:
    if len(members) < 2:
        return False
    some = outlines.take(members)
    different = list(dict(zip(some.whole.tolist(), range(len(some)), strict=True)).values())
    tokens = int((some.n_prompt + some.n_response)[different].sum())  # equal ones are computed once
    return (len(different) - 1) * prefix > WORTH * tokens


def _common_length(encoded: Sequence[Encoded], outlines: Outlines, members: list[int]) -> int:
    """How many tokens some prompts begin with. They are looked at one after another, as their ids may lie on disk."""
    common = encoded[members[0]].input_ids[: int(outlines.n_prompt[members].min())]
    for n in members:
        common = common[: beginning([common, encoded[n].input_ids[: len(common)]])]
    return len(common)


def beginning(texts: Sequence[Sequence[int]]) -> int:
    """How many tokens all texts begin with. Args: texts: one at least."""
    # what the first and the last in order have in common, all between them have too
    first, last = (order(map(list, texts)) for order in (min, max))
    return next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))


def worth_sharing(prompts: Sequence[Sequence[int]]) -> int:
    """How many tokens all prompts begin with, one of each left over; 0: too few. Args: prompts: none of them empty."""
    common = min(beginning(prompts), *(len(prompt) - 1 for prompt in prompts))
    return common if (len(prompts) - 1) * common > WORTH * sum(map(len, prompts)) else 0


def plan_prefixed(outlines: Outlines, lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Batches of conversations, those of one prompt together. Args: lengths: of their prefixes; as of `batches.plan`.

    Returns:
        lists of indices into `outlines`; each index once.
    """
    lengths = without_lone(outlines, lengths)
    prompts, n_prompt, tokens = outlines.prompt.tolist(), outlines.n_prompt.tolist(), outlines.tokens.tolist()
    groups: dict[int, list[int]] = defaultdict(list)
    for n, length in enumerate(lengths):
        if length == n_prompt[n]:
            groups[prompts[n]].append(n)
    several = [members for members in groups.values() if len(members) > 1]
    grouped = {n for members in several for n in members}
    rests = [[tokens[n] - lengths[n] for n in members] for members in several]
    batches = plan_groups([lengths[members[0]] for members in several], rests, batch_tokens)
    found = [[n for group in batch for n in several[group]] for batch in batches]
    for behind in (True, False):  # a batch is of conversations behind prefixes, or of whole ones
        alone = [n for n, length in enumerate(lengths) if n not in grouped and bool(length) is behind]
        cut = plan_tight([tokens[n] - lengths[n] for n in alone], batch_tokens)
        found += [[alone[i] for i in batch] for batch in cut]
    return found


class SharedPrefixes:
    """A decoder that keeps the prefix which it ran last.

    Args:
        decoder: a causal decoder of transformers, which gives last hidden states and a cache.
    """

    def __init__(self, decoder: torch.nn.Module):
        self.decoder = decoder
        self._held: tuple[list[tuple[int, ...]], Any] = ([], None)

    def forget(self) -> None:
        """Give the memory of the prefix that ran last back."""
        self._held = ([], None)

    def hidden(
        self, members: Sequence[Encoded], lengths: Sequence[int], held_tokens: int
    ) -> tuple[Iterator[tuple[list[int], torch.Tensor]], int]:
        """Last hidden states that predict the members' responses.

        Args:
            members: conversations.
            lengths: of their prefixes, at least 1 and at most those of their prompts.
            held_tokens: of how many tokens copies of keys and values are held at a time; of one member at least.

        Returns:
            pairs of some members' numbers and float [their response tokens, width], member by member; and how many
            tokens the decoder takes for all of it.
        """
        prefixes = [tuple(m.input_ids[:length]) for m, length in zip(members, lengths, strict=True)]
        unique = list(dict.fromkeys(prefixes))
        cost = 0 if self._held[0] == unique else sum(map(len, unique))
        rests = [m.input_ids[a : m.n_prompt + m.n_response - 1] for m, a in zip(members, lengths, strict=True)]
        return self._parts(members, lengths, prefixes, unique, rests, held_tokens), cost + sum(map(len, rests))

    def _parts(
        self,
        members: Sequence[Encoded],
        lengths: Sequence[int],
        prefixes: list[tuple[int, ...]],
        unique: list[tuple[int, ...]],
        rests: list[list[int]],
        held_tokens: int,
    ) -> Iterator[tuple[list[int], torch.Tensor]]:
        row = {prefix: n for n, prefix in enumerate(unique)}
        cache, mask, last = self._prefixes(unique)
        # copies of a prefix are as long as the longest of them
        width = mask.shape[1]
        for part in plan_tight([len(rest) for rest in rests], held_tokens, held=width):
            part = sorted(part)
            rows = torch.tensor([row[prefixes[n]] for n in part], device=last.device)
            behind = self._behind(cache, mask, rows, [rests[n] for n in part])
            states = last[rows][:, None] if behind is None else torch.cat([last[rows][:, None], behind], dim=1)
            keep = torch.zeros(states.shape[:2], dtype=torch.bool)
            for place, n in enumerate(part):
                start = members[n].n_prompt - lengths[n]
                keep[place, start : start + members[n].n_response] = True
            yield part, states[keep.to(states.device)]

    def _prefixes(self, prefixes: list[tuple[int, ...]]) -> tuple[Any, torch.Tensor, torch.Tensor]:
        """The cache of each prefix, its mask [prefixes, longest], and the hidden state of its last token."""
        if self._held[0] != prefixes:
            self.forget()  # before the next one takes its own memory
            device = next(self.decoder.parameters()).device
            input_ids = pad(prefixes, 0, left=True).to(device)
            mask = pad([[1] * len(prefix) for prefix in prefixes], 0, left=True).to(device)
            output = self.decoder(input_ids=input_ids, use_cache=True, **_padding(mask))
            require_plain(self.decoder, output.past_key_values)
            self._held = (prefixes, (output.past_key_values, mask, output.last_hidden_state[:, -1]))
        return self._held[1]

    def _behind(
        self, cache: Any, mask: torch.Tensor, rows: torch.Tensor, rests: list[list[int]]
    ) -> torch.Tensor | None:
        """Hidden states of what follows the prefixes of `rows`: [rows, longest, width]; None where nothing does."""
        if not any(rests):
            return None
        own = copies(cache, rows)
        input_ids = pad(rests, 0).to(rows.device)
        there = torch.cat([mask[rows], torch.ones_like(input_ids)], dim=1)
        return self.decoder(
            input_ids=input_ids, past_key_values=own, use_cache=True, **_padding(there, input_ids.shape[1])
        ).last_hidden_state


def _padding(mask: torch.Tensor, new: int = 0) -> dict[str, torch.Tensor]:
    """What a decoder is told of padding on the left: nothing where there is none. Args: how many tokens are new."""
    if mask.all():
        return {}
    return {"attention_mask": mask, "position_ids": (mask.cumsum(-1) - 1).clamp_min(0)[:, -new:]}

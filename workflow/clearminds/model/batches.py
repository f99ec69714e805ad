"""Cutting sequences into batches by a token budget."""

from collections.abc import Sequence

BUSY = 1 / 8  # of its budget is what a batch must have before it may end early
PADDING = 0.05  # of the longest sequence is what the others may be padded by without ending it


def plan(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Fill batches from the longest sequence to the shortest, so that little is padding and memory peaks first.

    Args:
        lengths: tokens per sequence.
        batch_tokens: most tokens of a batch, padding included; a longer sequence gets a batch of its own.

    Returns:
        lists of indices into `lengths`; each index once.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        # sorted, so the batch's first member is its longest
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= batch_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def plan_tight(lengths: Sequence[int], batch_tokens: int, held: int = 0) -> list[list[int]]:
    """As `plan`, but a batch that keeps the machine busy ends where the next sequence is much shorter.

    Products of a small batch are as fast as those of a large one once it has some hundred tokens, so that padding costs
    more than another batch does.

    Args:
        lengths: tokens per sequence.
        batch_tokens: most tokens of a batch, padding included.
        held: tokens that each sequence holds beside its own.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        longest = lengths[batches[-1][0]] if batches else 0
        fits = batches and (len(batches[-1]) + 1) * (longest + held) <= batch_tokens
        busy = fits and len(batches[-1]) * longest >= BUSY * batch_tokens
        if fits and not (busy and lengths[index] < (1 - PADDING) * longest):
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def plan_groups(prefixes: Sequence[int], rests: Sequence[Sequence[int]], batch_tokens: int) -> list[list[int]]:
    """Fill batches with groups of sequences that share a prefix, which runs once: those of longest prefixes first.

    Args:
        prefixes: tokens of each group's prefix.
        rests: tokens of its sequences behind the prefix.
        batch_tokens: most tokens of a batch, the padding of prefixes and rests included; a group of more gets a batch
            of its own.

    Returns:
        lists of numbers of groups; each number once.
    """
    batches: list[list[int]] = []
    longest = rows = 0
    for group in sorted(range(len(prefixes)), key=lambda g: (-prefixes[g], -max(rests[g]), g)):
        width, height = max(longest, *rests[group]), rows + len(rests[group])
        if batches and (len(batches[-1]) + 1) * prefixes[batches[-1][0]] + height * width <= batch_tokens:
            batches[-1].append(group)
            longest, rows = width, height
        else:
            batches.append([group])
            longest, rows = max(rests[group]), len(rests[group])
    return batches

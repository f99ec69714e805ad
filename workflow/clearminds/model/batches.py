"""Cutting sequences into batches by a token budget."""

from collections.abc import Sequence


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

"""How many optimiser steps a training takes, where the trainings of a target are made equally long."""

from collections.abc import Mapping
from math import ceil

import pyarrow as pa
import pyarrow.compute as pc

from clearminds.stages.train_adapter import Length


def optimiser_steps(
    length: Length | None, batch_examples: int, masks: pa.Table, counts: Mapping[str, int]
) -> int | None:
    """The steps of one training; None: as many as its epochs take.

    By steps: those of `epochs` passes over the matched examples, whichever of them this variant has, what is replayed
    beside them, and how many it takes a step. By tokens: those in which it sees as many kept tokens, at the mean number
    of its own examples, as the first matched source's responses have in these passes. Neither number depends on other
    variants.

    Args:
        length: of the stage's settings.
        batch_examples: of this training.
        masks: table of the contract MASKS.
        counts: of `build_masks.plan_examples`.
    """
    if length is None:
        return None
    if length.by == "steps":
        return ceil(length.epochs * ceil(counts["matched"] / length.batch_examples))
    passes = length.epochs * counts["matched_tokens"] / pc.sum(masks["n_kept"]).as_py()
    return max(1, round(passes * ceil(len(masks) / batch_examples)))


def counts_read(length: Length | None) -> list[str]:
    """What `optimiser_steps` reads of how masks came to be, which equal masks may differ in."""
    return [] if length is None else ["counts.matched" if length.by == "steps" else "counts.matched_tokens"]

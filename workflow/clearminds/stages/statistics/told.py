"""What is told of one effect: estimate, interval, test, p and what is detectable, by the test that decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from clearminds.stages.statistics import detectable
from clearminds.stages.statistics.effects import Effect
from clearminds.stages.statistics.exact import mcnemar
from clearminds.stages.statistics.intervals import ITEMS, interval
from clearminds.stages.statistics.pooled import Prior

EXACT, INVERTED, UNTESTED = "McNemar, exact", "interval", "none"

Detectable = Callable[[int], float | None]  # of the number of comparisons that share the 5 %


def told(effect: Effect | None, counts: Sequence[tuple[int, int]] | None, prior: Prior | None = None) -> dict:
    """The numbers of a comparison, as `COMPARISONS` says, and `detectable_of`, a `Detectable`.

    Args:
        effect: None: it is undefined.
        counts: of an effect on one task, lost and gained items of each seed.
        prior: what other variants tell of seeds.
    """
    if effect is None:
        blank = ("difference", "low", "high", "interval", "test", "p", "detectable")
        return {**dict.fromkeys(blank), "detectable_of": _never}
    found = interval(effect, prior)
    # one seed against one: items alone decide, and the counts have an exact test, unless subtasks weigh them
    exact = counts[0] if found.over == ITEMS and counts and len(effect.influences) == 1 else None
    detectable_of: Detectable
    if exact:
        # an item that goes from 0 to 1 moves the effect by its step / n
        detectable_of = partial(detectable.by_counts, effect.influences[0].shape[1], exact, effect.steps[0])
    else:
        detectable_of = partial(detectable.by_interval, found.spread) if found.spread else _never
    return {
        "difference": found.estimate,
        "low": found.low,
        "high": found.high,
        "interval": found.over,
        "test": EXACT if exact else INVERTED,
        "p": mcnemar(*exact) if exact else found.p,
        "detectable": detectable_of(1),
        "detectable_of": detectable_of,
    }


def _never(_comparisons: int) -> None:
    """Too few items for any difference to be found."""
    return None

"""What is told of one effect: estimate, interval, test, p and what is detectable, by the test that decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from clearminds.stages.statistics import detectable
from clearminds.stages.statistics.effects import Effect
from clearminds.stages.statistics.exact import mcnemar
from clearminds.stages.statistics.intervals import ITEMS, Spread, interval
from clearminds.stages.statistics.pooled import Prior

EXACT, INVERTED, UNTESTED = "McNemar, exact", "interval", "none"

Detectable = Callable[[int], float | None]  # of the number of comparisons that share the 5 %


class Tested(NamedTuple):
    """What is tested in place of an effect that is 0 just where this is.

    TI is 0 where two scores are equal. The interval of TI is that of a ratio, whose base stands in each item; that of
    the difference of the scores is nearer to a normal number, and finds the same with fewer items.

    Attributes:
        effect: the difference.
        prior: what other variants tell of seeds, of this difference.
        unit: what 1 of it is in units of the effect.
    """

    effect: Effect
    prior: Prior | None
    unit: float


def told(
    effect: Effect | None,
    counts: Sequence[tuple[int, int]] | None,
    prior: Prior | None = None,
    tested: Tested | None = None,
) -> dict:
    """The numbers of a comparison, as `COMPARISONS` says, and `detectable_of`, a `Detectable`.

    Args:
        effect: None: it is undefined.
        counts: of an effect on one task, lost and gained items of each seed.
        prior: what other variants tell of seeds.
        tested: what stands for the effect in the test; None: itself.
    """
    if effect is None:
        blank = ("difference", "low", "high", "interval", "test", "p", "detectable")
        return {**dict.fromkeys(blank), "detectable_of": _never}
    found = interval(effect, prior)
    decides = interval(tested.effect, tested.prior) if tested else found
    # one seed against one: items alone decide, and the counts have an exact test, unless subtasks weigh them
    exact = counts[0] if found.over == ITEMS and counts and len(effect.influences) == 1 else None
    detectable_of: Detectable
    if exact:
        # an item that goes from 0 to 1 moves the effect by its step / n
        detectable_of = partial(detectable.by_counts, effect.influences[0].shape[1], exact, effect.steps[0])
    else:
        unit = tested.unit if tested else 1.0
        detectable_of = partial(_by_interval, decides.spread, unit) if decides.spread else _never
    return {
        "difference": found.estimate,
        "low": found.low,
        "high": found.high,
        "interval": found.over,
        "test": EXACT if exact else INVERTED,
        "p": mcnemar(*exact) if exact else decides.p,
        "detectable": detectable_of(1),
        "detectable_of": detectable_of,
    }


def _by_interval(spread: Spread, unit: float, comparisons: int) -> float:
    return unit * detectable.by_interval(spread, comparisons)


def _never(_comparisons: int) -> None:
    """Too few items for any difference to be found."""
    return None

"""What a comparison shows, in one of four answers, by rules that depend on its numbers alone."""

from __future__ import annotations

from clearminds.stages.statistics.intervals import SAME

ALPHA = 0.05
MARGIN = 5.0  # points, or percent of the base's score: a smaller difference is not what a study is made for

BETTER, WORSE, NOTHING, TOO_FEW = "better", "worse", "no difference shown", "too few items to tell"


def verdict(difference: float | None, corrected: float | None, detectable: float | None) -> str | None:
    """Whether the one is better than the other.

    Args:
        difference: of the one from the other; None: undefined.
        corrected: p-value, corrected for the number of comparisons; None: there are too few items for any.
        detectable: the minimal detectable difference, in the unit of the difference, likewise corrected; None:
            there is none, by so few items.

    Returns:
        `BETTER` or `WORSE` where the corrected p-value is below 5 %; else `NOTHING` where the study would have found a
        difference of `MARGIN` or less, and `TOO_FEW` where it would not. None where there is no difference.
    """
    if difference is None:
        return None
    if corrected is None:
        return TOO_FEW
    if corrected < ALPHA and abs(difference) > SAME:
        return BETTER if difference > 0 else WORSE
    return NOTHING if detectable is not None and detectable <= MARGIN else TOO_FEW

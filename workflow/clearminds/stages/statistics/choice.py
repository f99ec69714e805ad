"""Which variant to use: the largest TI among those whose BWT interval stays above a loss that one can bear.

The rule looks at the lower limit, so that a variant is chosen for what is shown of it and not for what a few items
happened to give. Where no variant passes, either every one is shown to lose more, or the study is too small to tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from clearminds.files.summary import BASE
from clearminds.report.numbers import ends, listed

LOSS = 5.0  # percent of the base's scores
DIGITS = 2  # of a TI as it is printed
NAMED = 3  # more variants of the same TI are counted, not named


@dataclass(frozen=True)
class Choice:
    """The variant to use for one model and target.

    Attributes:
        variant: None where none can be named.
        seed: of the adapter: the first one, since the best one of a test would be flattered by it.
        why: in a sentence.
        runner_up: in a sentence, what the next variant by the same rule gives; empty where there is none.
        other: that variant.
    """

    variant: str | None
    seed: int | None
    why: str
    runner_up: str = ""
    other: str | None = None


def choose(summary: pl.DataFrame, comparisons: pl.DataFrame, loss: float = LOSS) -> Choice:
    """Apply the rule.

    Args:
        summary, comparisons: of one model and target, as `files.summary` says.
        loss: the largest loss of BWT that is acceptable, in percent, above 0.
    """
    runs = summary.filter(pl.col("variant") != BASE)
    found = runs.group_by("variant", maintain_order=True).agg(
        pl.col("ti", "bwt").mean(), pl.col("ti_low", "ti_high", "bwt_low", "bwt_high", "interval").first()
    )
    seeds = dict(runs.group_by("variant", maintain_order=True).agg(pl.col("seed").min()).iter_rows())
    known = found.drop_nulls(["ti", "bwt_low"])
    if known.is_empty():
        return Choice(
            None, None, "No variant can be named: TI or BWT is undefined, or has too few items for an interval."
        )
    # as printed, so that noise of floating point makes none larger; of equal TI the first that the study names
    passed = sorted(known.filter(pl.col("bwt_low") > -loss).to_dicts(), key=lambda row: -round(row["ti"], DIGITS))
    if not passed:
        return Choice(None, None, _none_passed(known, comparisons, loss))
    best, *rest = passed
    why = (
        f"{best['variant']}: of the variants whose BWT interval stays above {-loss:g} % it has the largest TI"
        f"{_as_have(best, rest)}. "
        f"TI {_with_limits(best, 'ti')}, BWT {_with_limits(best, 'bwt')}{_over(best)}."
    )
    why += _of_the_target(best)
    other = rest[0]["variant"] if rest else None
    return Choice(best["variant"], seeds[best["variant"]], why, _runner_up(best, rest, comparisons), other)


def _as_have(best: dict, rest: list[dict]) -> str:
    """Which others have the same TI; nothing where none has."""
    equal = [row["variant"] for row in rest if round(row["ti"], DIGITS) == round(best["ti"], DIGITS)]
    if not equal:
        return ""
    return f", as {'have' if equal[1:] else 'has'} {listed(equal, NAMED)}; of equals the first named is taken"


def _of_the_target(best: dict) -> str:
    """What the interval of TI leaves open; nothing where it is above 0."""
    if best["ti_low"] is None:
        return " Whether it improves the target is not shown: TI has no interval."
    if best["ti_high"] < 0:
        return " It is shown to make the target worse."
    return "" if best["ti_low"] > 0 else " That it improves the target at all is not shown: the interval of TI holds 0."


def _none_passed(known: pl.DataFrame, comparisons: pl.DataFrame, loss: float) -> str:
    if (known["bwt_high"] < -loss).all():
        return f"No variant can be named: every one is shown to lose more than {loss:g} % of BWT."
    own = comparisons.filter(pl.col("measure") == "BWT", pl.col("other") == BASE)
    detectable = own["detectable_holm"].drop_nulls().to_list()
    found = f"The smallest change of BWT that it can find is {ends([min(detectable)])} %. " if detectable else ""
    return (
        f"The study is too small to tell: no BWT interval stays above {-loss:g} %, and not every one is below. {found}"
        "More items, and more seeds, find smaller ones."
    )


def _runner_up(best: dict, rest: list[dict], comparisons: pl.DataFrame) -> str:
    if not rest:
        return ""
    other = rest[0]
    names = [best["variant"], other["variant"]]
    pair = comparisons.filter(pl.col("variant").is_in(names), pl.col("other").is_in(names), pl.col("measure") == "TI")
    said = (
        f"Next is {other['variant']}: TI {_with_limits(other, 'ti')}, BWT {_with_limits(other, 'bwt')}{_over(other)}."
    )
    if pair.is_empty():
        return said
    row = pair.row(0, named=True)
    return f"{said} TI of {row['variant']} against {row['other']}, item by item: {row['verdict'] or row['note']}."


def _over(row: dict) -> str:
    return f"; 95 % intervals over {row['interval']}"


def _with_limits(row: dict, name: str) -> str:
    limits = "no interval" if row[f"{name}_low"] is None else f"{row[f'{name}_low']:+.1f} to {row[f'{name}_high']:+.1f}"
    return f"{row[name]:+.{DIGITS}f} % ({limits})"

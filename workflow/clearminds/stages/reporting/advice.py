"""Which variant to use of each model and target, by the rule of `make best`; the runner-up, and other losses."""

import polars as pl

from clearminds.files.summary import BASE
from clearminds.report.advice import Advice
from clearminds.report.numbers import change, interval, listed, within
from clearminds.stages.statistics.choice import LOSS, Choice, choose

OTHERS = (2.0, 10.0, 20.0)  # percent: losses beside the rule's own


def advice(summary: pl.DataFrame, comparisons: pl.DataFrame) -> list[Advice]:
    """One for each model and target. Args: as `files.summary` says; without comparisons there is none."""
    if comparisons.is_empty():
        return []
    found = []
    for (model, target), own in summary.partition_by("model", "target", as_dict=True, maintain_order=True).items():
        pairs = comparisons.filter(pl.col("model") == model, pl.col("target") == target)
        choice, means = choose(own, pairs), _means(own)
        other, runner_up = _runner_up(choice, means)
        losses = _other_losses(own, pairs, means)
        found.append(Advice(str(model), str(target), choice.variant, choice.why, runner_up, other, LOSS, losses))
    return found


def _means(summary: pl.DataFrame) -> dict[str, dict]:
    """Each variant that the rule can look at, the one of the largest TI first."""
    limits = [f"{name}_{end}" for name in ("ti", "bwt") for end in ("low", "high")]
    runs = summary.filter(pl.col("variant") != BASE)
    means = runs.group_by("variant", maintain_order=True).agg(pl.col("ti", "bwt").mean(), pl.col(limits).first())
    known = means.drop_nulls(["ti", "bwt_low"]).sort("ti", descending=True, maintain_order=True)
    return {row["variant"]: row for row in known.to_dicts()}


def _runner_up(choice: Choice, means: dict[str, dict]) -> tuple[str | None, str]:
    """The next by the rule; where no other passes, the largest TI of those that do not."""
    if choice.variant is None or choice.other is not None:
        return choice.other, choice.runner_up
    name = next((name for name in means if name != choice.variant), None)
    if name is None:
        return None, ""
    return name, f"No other variant passes. Of those that do not, {name} has the largest TI: {_numbers(means[name])}."


def _other_losses(summary: pl.DataFrame, comparisons: pl.DataFrame, means: dict[str, dict]) -> str:
    """What the rule would choose if more or less could be lost: a sentence; empty where it has nothing to look at."""
    if not means:
        return ""
    said = []
    for loss in OTHERS:
        name = choose(summary, comparisons, loss).variant
        said.append(f"{loss:g} % " + ("nothing" if name is None else f"{name} ({_numbers(means[name])})"))
    return f"Of other losses the rule would choose: with {listed(said)}."


def _numbers(row: dict) -> str:
    space = "\N{NO-BREAK SPACE}"
    return " and ".join(
        f"{name.upper()}{space}{change(row[name])}{space}%{interval(_limits(row, name))}" for name in ("ti", "bwt")
    )


def _limits(row: dict, name: str) -> tuple[float, float] | None:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return None if low is None else within((low, high))

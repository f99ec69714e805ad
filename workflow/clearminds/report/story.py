"""What was asked and what came out, in a few sentences made from the result table and the comparisons."""

from collections.abc import Collection, Mapping, Sequence

import polars as pl

from clearminds.files.summary import BASE
from clearminds.report.numbers import count, ends, listed
from clearminds.report.numbers import items as numbered
from clearminds.report.outcomes import Measure, by_likelihood, gained, kept, remaining
from clearminds.report.result_table import ResultRow, ResultTable, limits, percent

WHY = "the notes below the results say why"
NAMED = 6  # more variants than these are counted, not named
TIED = 3  # likewise of those that share a place
CLAIMS = {
    "better": "{names} {verb} better than the base",
    "worse": "{names} {verb} worse than the base",
    "no difference shown": "no difference from the base is shown for {names}",
    "too few items to tell": "there are too few items to tell for {names}",
}


def story(
    table: ResultTable,
    items: Mapping[str, int],
    comparisons: pl.DataFrame,
    trained: int | None,
    own: Collection[str],
) -> list[str]:
    """The sentences about one model and target.

    Args:
        table: of `result_table`.
        items: per task, how many it has.
        comparisons: of `files.summary`, of all models and targets; may be empty.
        trained: examples that every variant trains on; None where that is not known.
        own: variants that are trained here; others are measured beside them.
    """
    rows = comparisons.filter(pl.col("model") == table.model, pl.col("target") == table.target, pl.col("other") == BASE)
    gain, keep, rest = gained(table, rows), kept(table, rows), remaining(rows)
    where, instead = "On the other tasks", []
    if not keep.changes and rest is not None:
        keep, where, instead = (
            rest,
            "On those",
            [f"BWT is undefined: {WHY}. {rest.name} is over the tasks that are left."],
        )
    return [
        _asked(table, items, trained, own),
        *_verdicts(gain, f"On {table.target}"),
        *instead,
        *_verdicts(keep, where),
        *_detectable(gain, keep),
        *_extremes(gain, keep),
    ]


def _asked(table: ResultTable, items: Mapping[str, int], trained: int | None, own: Collection[str]) -> str:
    variants = [row for row in table.rows if row.variant in own]
    others = sum(row.variant not in own and row.variant != BASE for row in table.rows)
    tasks = [*([table.target] if by_likelihood(table) else []), *table.accuracy]
    numbers = [f"{numbered(items[task]) if n == 0 else count(items[task])} of {task}" for n, task in enumerate(tasks)]
    on = f" on {listed(numbers)}" if numbers else ""
    question = f"What does fine-tuning {table.model} on {table.target} gain there, and what does it lose elsewhere?"
    if not variants:
        elsewhere = (
            f"{others} variants, trained elsewhere, are" if others != 1 else "One variant, trained elsewhere, is"
        )
        return f"{question} {elsewhere} measured{on}."
    trainings = f"{len(variants)} variants were" if len(variants) > 1 else "One variant was"
    examples = "" if trained is None else f" on {numbered(trained, 'example')}"
    beside = f" {others} more, trained elsewhere, {'are' if others != 1 else 'is'} measured beside." if others else ""
    each = f", each measured{on}" if on else ""
    return f"{question} {trainings} trained{examples}, with {_seeds(variants)}{each}.{beside}"


def _seeds(rows: Sequence[ResultRow]) -> str:
    """How many seeds variants have, which those of a run that failed may not have alike."""
    least, most = min(row.seeds for row in rows), max(row.seeds for row in rows)
    if most == 1:
        return "one seed"
    return f"{most} seeds" if least == most else f"{least} to {most} seeds"


def _verdicts(measure: Measure, where: str) -> list[str]:
    """Which variants are better, worse or neither, by the corrected tests of the comparisons."""
    said = []
    for verdict, words in CLAIMS.items():
        names = [variant for variant, found in measure.verdicts.items() if found == verdict]
        if names:
            said.append(words.format(names=_named(names), verb="is" if len(names) == 1 else "are"))
    return [f"{where} ({measure.name}): {'; '.join(said)}."] if said else []


def _named(names: list[str]) -> str:
    return listed(names) if len(names) <= NAMED else f"{len(names)} variants"


def _detectable(*measures: Measure) -> list[str]:
    """How the verdicts were reached, and what they could have found."""
    found = [f"a {measure.name} of {ends(measure.detectable)} %" for measure in measures if measure.detectable]
    if not any(measure.verdicts for measure in measures):
        return []
    size = f"; the smallest true change that they find four times out of five is {listed(found)}" if found else ""
    return [f"These verdicts are corrected for the study's comparisons{size}."]


def _extremes(gain: Measure, keep: Measure) -> list[str]:
    """The largest gain, and the largest and smallest of what is kept, each with its interval."""
    variants = list(dict.fromkeys([*gain.changes, *keep.changes]))
    if len(variants) == 1:
        return [f"{variants[0]} comes to {_both(variants[0], gain, keep)}.", *_undefined(gain, keep)]

    def said(measure: Measure, names: list[str], which: str) -> str:
        numbers = {name: _both(name, gain, keep) for name in names}
        if len(names) == 1:
            return f"The {which} is that of {names[0]}: {numbers[names[0]]}."
        tied = listed([f"{name} ({own})" for name, own in numbers.items()], TIED)
        if len(names) == len(measure.changes):
            return f"{measure.name} is the same for all variants: {tied}."
        return f"The {which} is shared by {tied}."

    found = [said(measure, measure.most(), f"largest {measure.name}") for measure in (gain, keep) if measure.changes]
    if keep.changes and keep.least() != keep.most():
        found.append(said(keep, keep.least(), "smallest"))
    return [*found, *_undefined(gain, keep)]


def _undefined(*measures: Measure) -> list[str]:
    return [f"{measure.name} is undefined: {WHY}." for measure in measures if not measure.changes]


def _both(variant: str, *measures: Measure) -> str:
    """A variant's numbers, with their intervals."""
    found = [(measure.name, measure.changes[variant]) for measure in measures if variant in measure.changes]
    return ", ".join(f"{name} {percent(value)} %{limits(interval)}" for name, (value, interval) in found)

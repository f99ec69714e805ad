"""What was asked and what came out, in a few sentences made from the result table and the comparisons."""

from collections.abc import Collection, Mapping, Sequence

import polars as pl

from clearminds.files.summary import BASE
from clearminds.report.numbers import change, count, interval, listed, size
from clearminds.report.numbers import items as numbered
from clearminds.report.outcomes import Measure, by_likelihood, gained, kept, remaining
from clearminds.report.result_table import ResultRow, ResultTable

WHY = "the notes below the results say why"
NAMED = 6  # more variants than these are counted, not named
TIED = 3  # likewise of those that share a place
CLAIMS = {
    "better": "{names} {verb} better than the base",
    "worse": "{names} {verb} worse than the base",
    "no difference shown": "no difference from the base is shown for {names}",
    "too few items to tell": "there are too few {what} to tell for {names}",
}


def story(
    table: ResultTable,
    items: Mapping[str, int],
    comparisons: pl.DataFrame,
    trained: int | None,
    own: Collection[str],
) -> list[str]:
    """At most four sentences about one model and target; brackets are intervals.

    Args:
        table: of `result_table`.
        items: per task, how many it has.
        comparisons: of `files.summary`, of all models and targets; may be empty.
        trained: examples that every variant trains on; None where that is not known.
        own: variants that are trained here; others are measured beside them.
    """
    rows = comparisons.filter(pl.col("model") == table.model, pl.col("target") == table.target, pl.col("other") == BASE)
    gain, keep, rest = gained(table, rows), kept(table, rows), remaining(rows)
    seeds = max((row.seeds for row in table.rows), default=0)
    less = None if keep.changes or rest is None else rest
    second = _measured(gain, f"on {table.target}", gain, keep if less is None else less, seeds, least=False)
    if less is None:
        third = _measured(keep, "on the other tasks", gain, keep, seeds, least=True)
    else:
        left = _measured(less, "over the tasks that are left", gain, less, seeds, least=True)
        third = f"BWT is undefined: {WHY}; {left}"
    return [_asked(table, items, trained, own), second, third, *_detectable(gain, keep if less is None else less)]


def _asked(table: ResultTable, items: Mapping[str, int], trained: int | None, own: Collection[str]) -> str:
    variants = [row for row in table.rows if row.variant in own]
    others = sum(row.variant not in own and row.variant != BASE for row in table.rows)
    tasks = [*([table.target] if by_likelihood(table) else []), *table.accuracy]
    numbers = [f"{numbered(items[task]) if n == 0 else count(items[task])} of {task}" for n, task in enumerate(tasks)]
    on = f" on {listed(numbers)}" if numbers else ""
    question = f"To see what fine-tuning {table.model} on {table.target} gains there and loses elsewhere, "
    if not variants:
        elsewhere = (
            f"{others} variants, trained elsewhere, are" if others != 1 else "one variant, trained elsewhere, is"
        )
        return f"{question}{elsewhere} measured{on}."
    trainings = f"{len(variants)} variants were" if len(variants) > 1 else "one variant was"
    examples = "" if trained is None else f" on {numbered(trained, 'example')}"
    beside = f"; {others} more, trained elsewhere, {'are' if others != 1 else 'is'} measured beside" if others else ""
    each = f", each measured{on}" if on else ""
    return f"{question}{trainings} trained{examples}, with {_seeds(variants)}{each}{beside}."


def _seeds(rows: Sequence[ResultRow]) -> str:
    """How many seeds variants have, which those of a run that failed may not have alike."""
    least, most = min(row.seeds for row in rows), max(row.seeds for row in rows)
    if most == 1:
        return "one seed"
    return f"{most} seeds" if least == most else f"{least} to {most} seeds"


def _measured(measure: Measure, where: str, gain: Measure, keep: Measure, seeds: int, least: bool) -> str:
    """One measure in a sentence: which variants are better or worse, then the largest, and the smallest if asked."""
    if not measure.changes:
        return f"{measure.name} is undefined: {WHY}."
    parts = [*_verdicts(measure, seeds), *_extremes(measure, gain, keep, least)]
    return f"{measure.name[0].upper()}{measure.name[1:]}, {where}: {'; '.join(parts)}."


def _verdicts(measure: Measure, seeds: int) -> list[str]:
    """Which variants are better, worse or neither, by the corrected tests of the comparisons."""
    said = []
    for verdict, words in CLAIMS.items():
        names = [variant for variant, found in measure.verdicts.items() if found == verdict]
        if names:
            said.append(
                words.format(
                    names=_named(names),
                    verb="is" if len(names) == 1 else "are",
                    what="items or seeds" if seeds > 1 else "items",
                )
            )
    return said


def _named(names: list[str]) -> str:
    return listed(names) if len(names) <= NAMED else f"{len(names)} variants"


def _detectable(*measures: Measure) -> list[str]:
    """How the verdicts were reached, and what they could have found."""
    found = [f"a {one.name} of {size(min(one.detectable))}\N{NO-BREAK SPACE}%" for one in measures if one.detectable]
    if not any(measure.verdicts for measure in measures):
        return []
    least = (
        f"; the smallest true change that they find four times out of five is at best {listed(found)}" if found else ""
    )
    return [f"These verdicts are corrected for the study's comparisons{least}."]


def _extremes(measure: Measure, gain: Measure, keep: Measure, least: bool) -> list[str]:
    """The largest of a measure, and the smallest if asked, each with both numbers and their intervals."""
    if len(measure.changes) == 1:
        [variant] = measure.changes
        return [f"{variant} comes to {_both(variant, gain, keep)}"]
    ends = [("largest", measure.most()), *([("smallest", measure.least())] if least else [])]
    if least and ends[0][1] == ends[1][1]:
        ends = ends[:1]
    return [_end(measure, which, names, gain, keep) for which, names in ends]


def _end(measure: Measure, which: str, names: list[str], gain: Measure, keep: Measure) -> str:
    numbers = {name: _both(name, gain, keep) for name in names}
    if len(names) == 1:
        return f"the {which} is that of {names[0]}: {numbers[names[0]]}"
    tied = listed([f"{name} with {own}" for name, own in numbers.items()], TIED)
    return (
        f"it is the same for all: {tied}" if len(names) == len(measure.changes) else f"the {which} is shared by {tied}"
    )


def _both(variant: str, *measures: Measure) -> str:
    """A variant's numbers, with their intervals."""
    found = [(measure.name, measure.changes[variant]) for measure in measures if variant in measure.changes]
    space = "\N{NO-BREAK SPACE}"
    return " and ".join(f"{name}{space}{change(value)}{space}%{interval(limits)}" for name, (value, limits) in found)

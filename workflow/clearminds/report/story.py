"""What was asked and what came out, in a few sentences made from the result table and the comparisons."""

from collections.abc import Collection, Iterable, Sequence

import polars as pl

from clearminds.files.summary import BASE
from clearminds.report.numbers import listed
from clearminds.report.result_table import ResultRow, ResultTable, limits, percent

WHY = "the notes below the results say why"
NAMED = 6  # more variants than these are counted, not named
CLAIMS = {
    "better": "{names} {verb} better than the base",
    "worse": "{names} {verb} worse than the base",
    "no difference shown": "no difference from the base is shown for {names}",
    "too few items to tell": "there are too few items to tell for {names}",
}


def story(
    table: ResultTable,
    items: dict[str, int],
    comparisons: pl.DataFrame,
    seeds: Sequence[int],
    trained: int | None,
    own: Collection[str],
) -> list[str]:
    """The sentences about one model and target.

    Args:
        table: of `result_table`.
        items: per task, how many it has.
        comparisons: of `files.summary`, of all models and targets; may be empty.
        seeds: of the trainings.
        trained: examples that every variant trains on; None where that is not known.
        own: variants that are trained here; others are measured beside them.
    """
    rows = comparisons.filter(pl.col("model") == table.model, pl.col("target") == table.target, pl.col("other") == BASE)
    return [
        _asked(table, items, seeds, trained, own),
        *_verdicts(rows, "ti", f"On {table.target}"),
        *_verdicts(rows, "bwt", "On the other tasks"),
        *_extremes([row for row in table.rows if row.variant != BASE]),
        *_detectable(rows),
    ]


def _asked(
    table: ResultTable, items: dict[str, int], seeds: Sequence[int], trained: int | None, own: Collection[str]
) -> str:
    variants = sum(row.variant in own for row in table.rows)
    others = sum(row.variant not in own and row.variant != BASE for row in table.rows)
    measured = [f"{items[task]:,} items of {task}" for task in table.accuracy[:1]]
    measured += [f"{items[task]:,} of {task}" for task in table.accuracy[1:]]
    examples = "" if trained is None else f" on {trained:,} examples"
    seeded = f"{len(seeds)} seeds" if len(seeds) > 1 else "one seed"
    what = f", each measured on {listed(measured)}" if measured else ""
    trainings = f"{variants} variants were" if variants != 1 else "One variant was"
    beside = f" {others} more, trained elsewhere, {'are' if others != 1 else 'is'} measured beside." if others else ""
    return (
        f"What does fine-tuning {table.model} on {table.target} gain there, and what does it lose elsewhere? "
        f"{trainings} trained{examples}, with {seeded}{what}.{beside}"
    )


def _verdicts(own: pl.DataFrame, role: str, where: str) -> list[str]:
    """Which variants are better, worse or neither, by the corrected tests of the comparisons."""
    rows = own.filter(pl.col("role") == role).unique("variant", keep="first", maintain_order=True)
    said = []
    for verdict, words in CLAIMS.items():
        names = rows.filter(pl.col("verdict") == verdict)["variant"].to_list()
        if names:
            said.append(words.format(names=_named(names), verb="is" if len(names) == 1 else "are"))
    measure = {"ti": "TI", "bwt": "BWT"}[role]
    return [f"{where} ({measure}, corrected for all comparisons): {'; '.join(said)}."] if said else []


def _named(names: list[str]) -> str:
    return listed(names) if len(names) <= NAMED else f"{len(names)} variants"


def _extremes(rows: Iterable[ResultRow]) -> list[str]:
    """The largest TI and the largest BWT, each with its interval."""
    said = []
    found = list(rows)
    by_ti = [row for row in found if row.ti is not None]
    by_bwt = [row for row in found if row.bwt is not None]
    if by_ti:
        best = max(by_ti, key=lambda row: row.ti or 0.0)
        said.append(f"The largest TI is that of {best.variant}: {_both(best)}.")
    else:
        said.append(f"TI is undefined: {WHY}.")
    if by_bwt:
        least = max(by_bwt, key=lambda row: row.bwt or 0.0)
        most = min(by_bwt, key=lambda row: row.bwt or 0.0)
        said.append(f"The largest BWT is that of {least.variant}: {_both(least)}.")
        if most.variant != least.variant:
            said.append(f"The smallest is that of {most.variant}: {_both(most)}.")
    else:
        said.append(f"BWT is undefined: {WHY}.")
    return said


def _both(row: ResultRow) -> str:
    parts = [
        f"{name} {percent(value)} %{limits(interval)}"
        for name, value, interval in (("TI", row.ti, row.ti_limits), ("BWT", row.bwt, row.bwt_limits))
        if value is not None
    ]
    return ", ".join(parts)


def _detectable(own: pl.DataFrame) -> list[str]:
    said = []
    for role, name in (("ti", "TI"), ("bwt", "BWT")):
        # those without overlapping items, or without an undefined task, are named otherwise
        values = own.filter(pl.col("role") == role, pl.col("measure") == name)["detectable_holm"].drop_nulls()
        if len(values):
            ends = dict.fromkeys(f"{end:.0f}" for end in (min(values), max(values)))
            said.append(f"{' to '.join(ends)} % of {name}")
    return (
        [
            "The smallest true change that a study of this size finds, four times out of five and corrected likewise, "
            f"is {listed(said)}."
        ]
        if said
        else []
    )

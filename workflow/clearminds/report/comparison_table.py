"""Every comparison as a table to be read: in Markdown and in LaTeX."""

from collections.abc import Iterable

import polars as pl

from clearminds.files.summary import BASE
from clearminds.report.numbers import within
from clearminds.report.result_table import limits, percent
from clearminds.report.text_table import Style, joined, text_table

HEADERS = (
    *("variant", "against", "measure", "difference", "unit", "lost", "gained", "test", "p", "p (Holm)"),
    *("detectable", "verdict"),
)
NAMES = 3  # of these columns hold names
MISTAKES = {"wrong_answer": "wrong", "format_failure": "format"}  # columns where a task asks for a format
ABOUT = (
    "[...]: 95 % intervals over items and seeds where a variant has several seeds, else over items only; lost, gained: "
    "items that went from right to wrong and from wrong to right, over all seeds; p (Holm): corrected for all "
    "comparisons of the study; detectable: the smallest true difference that is found with a chance of 80 %, after the "
    "same correction."
)
ABOUT_MISTAKES = "wrong, format: change in points of wrong answers in the asked format, and of those in another one."


def printed_comparisons(comparisons: pl.DataFrame, style: Style) -> str:
    """The comparisons of each model and target, with what is undefined and why below.

    Args:
        comparisons: as `files.summary.COMPARISONS` says.
        style: of `text_table`.
    """
    blocks = []
    parts = comparisons.partition_by("model", "target", as_dict=True, maintain_order=True)
    for (model, target), part in parts.items():
        mistakes = {key: head for key, head in MISTAKES.items() if part[key].count()}
        lines = [_line(row, mistakes) for row in part.iter_rows(named=True)]
        notes = [ABOUT, *([ABOUT_MISTAKES] if mistakes else []), *_notes(part)]
        table = text_table(lines, [*HEADERS, *mistakes.values()], style, NAMES)
        blocks += [style.heading.format(model=model, target=target), table, *map(style.note.format, notes)]
    return joined(blocks)


def _line(row: dict, mistakes: Iterable[str]) -> list[str]:
    """The cells of a comparison. Args: mistakes: columns of kinds of mistakes that are shown."""
    interval = None if row["low"] is None else (row["low"], row["high"])
    if row["other"] == BASE and row["unit"] != "points":
        interval = within(interval)
    counts = ["-" if row[key] is None else str(row[key]) for key in ("lost", "gained")]
    chances = ["-" if row[key] is None else f"{row[key]:.3g}" for key in ("p", "p_holm")]
    return [
        *(row["variant"], row["other"], row["measure"]),
        percent(row["difference"]) + limits(interval),
        *(row["unit"], *counts, row["test"] or "-", *chances),
        *("-" if row["detectable_holm"] is None else f"{row['detectable_holm']:.1f}", row["verdict"] or "-"),
        *(percent(row[key]) for key in mistakes),
    ]


def _notes(part: pl.DataFrame) -> list[str]:
    """What to keep in mind of single comparisons: a sentence for each thing, with the measures that it is of."""
    measures = pl.col("measure").unique(maintain_order=True)
    found = part.drop_nulls("note").group_by("note", maintain_order=True).agg(measures)
    return [f"{', '.join(names)}: {note}." for note, names in found.iter_rows()]

"""Every comparison as a table to be read: in Markdown and in LaTeX."""

import polars as pl

from clearminds.report.result_table import limits
from clearminds.report.text_table import Style, joined, text_table

HEADERS = ("variant", "against", "measure", "difference", "unit", "lost", "gained", "p", "p (Holm)", "verdict")
NAMES = 3  # of these columns hold names
ABOUT = (
    "[...]: 95 % intervals over items and seeds where a variant has several seeds, else over items only; lost, gained: "
    "items that went from right to wrong and from wrong to right, over all seeds; p (Holm): corrected for all "
    "comparisons of the study."
)


def printed_comparisons(comparisons: pl.DataFrame, style: Style) -> str:
    """The comparisons of each model and target, with what is undefined and why below.

    Args:
        comparisons: as `files.summary.COMPARISONS` says.
        style: of `text_table`.
    """
    blocks = []
    for (model, target), part in comparisons.partition_by("model", "target", as_dict=True, maintain_order=True).items():
        lines = [_line(row) for row in part.iter_rows(named=True)]
        blocks += [style.heading.format(model=model, target=target), text_table(lines, HEADERS, style, NAMES)]
        blocks += [style.note.format(note) for note in [ABOUT, *_notes(part)]]
    return joined(blocks)


def _line(row: dict) -> list[str]:
    shown = "-" if row["difference"] is None else f"{row['difference'] + 0.0:+.2f}"
    interval = None if row["low"] is None else (row["low"], row["high"])
    counts = ["-" if row[key] is None else str(row[key]) for key in ("lost", "gained")]
    chances = ["-" if row[key] is None else f"{row[key]:.3g}" for key in ("p", "p_holm")]
    names = [row["variant"], row["other"], row["measure"]]
    return [*names, shown + limits(interval), row["unit"], *counts, *chances, row["verdict"] or "-"]


def _notes(part: pl.DataFrame) -> list[str]:
    """What to keep in mind of single comparisons: a sentence for each thing, with the measures that it is of."""
    found = (
        part.drop_nulls("note").group_by("note", maintain_order=True).agg(pl.col("measure").unique(maintain_order=True))
    )
    return [f"{', '.join(measures)}: {note}." for note, measures in found.iter_rows()]

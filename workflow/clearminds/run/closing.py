"""What is printed at the end of a run: where the results are, and the result table."""

from pathlib import Path

from clearminds.files.layout import Layout


def closing(layout: Layout) -> str:
    """Paths and table of a study's results; empty where a run was asked for something else."""
    summary, report = Path(layout.summary.path()), Path(layout.report.path())
    if not (summary.is_file() and report.is_file()):
        return ""
    import polars as pl

    from clearminds.report.result_table import terminal_table

    return f"\n{terminal_table(pl.read_parquet(summary))}\n\n{report}\n{summary} (+ .csv, .md, .tex)\n"

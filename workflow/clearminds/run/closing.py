"""What is printed at the end of a run: where the results are, and the result table."""

from pathlib import Path

from clearminds.files.layout import Layout


def closing(layout: Layout) -> str:
    """Paths and table of a study's results; empty where a run was asked for something else."""
    summary, comparisons, report = (Path(kind.path()) for kind in (layout.summary, layout.comparisons, layout.report))
    if not (summary.is_file() and comparisons.is_file() and report.is_file()):
        return ""
    import polars as pl

    from clearminds.report.result_table import terminal_table

    table = terminal_table(pl.read_parquet(summary), pl.read_parquet(comparisons))
    return f"\n{table}\n\n{report}\n{summary} (+ .csv, .md, .tex)\n"

"""One HTML file that says what was compared, how, and what came out; and its figures as SVG."""

from pathlib import Path

import _setup  # noqa: F401
import polars as pl

from clearminds import figures
from clearminds.launch import Job, Output, launch, log
from clearminds.report import render
from clearminds.report_data import gather
from clearminds.tables import write_text


def main(job: Job, *, summary: Path, html: Output, ti_bwt: Output, perplexity: Output) -> None:
    table = pl.read_parquet(summary)
    figures.save_svg(figures.ti_bwt(table), ti_bwt)
    data = gather(job.spec, table, logs=job.log.parents[1], ti_bwt=ti_bwt)
    write_text(perplexity, data.perplexity[0].svg)
    write_text(html, render(data))
    log.info("%s", html)


launch(
    main,
    also_reads=lambda spec: [Path(row["path"]) for kind in ("evaluations", "masks", "scores") for row in spec[kind]],
)

"""One HTML file that says what was compared, how, and what came out; and its figures as SVG."""

from pathlib import Path

import _setup  # noqa: F401
import polars as pl

from clearminds.files.analysed_files import analysis_rows
from clearminds.files.reading import readable
from clearminds.files.study_files import adapter_rows, evaluation_rows, mask_rows, rehearsal_rows, score_rows
from clearminds.files.tables import write_text
from clearminds.job.launch import Job, Output, launch, log
from clearminds.report import figures
from clearminds.report.page import render
from clearminds.stages.report import Settings, gather


def main(job: Job[Settings, None], *, summary: Path, html: Output, ti_bwt: Output, perplexity: Output) -> None:
    with readable(summary):
        table = pl.read_parquet(summary)
    figures.save_svg(figures.ti_bwt(table), ti_bwt)
    names = job.settings.names
    files = {"evaluations": evaluation_rows(names), "masks": mask_rows(names), "scores": score_rows(names)}
    files |= {"adapters": adapter_rows(names), "rehearsals": rehearsal_rows(names)}
    files |= {"analyses": analyses_of(job.settings)}
    data = gather(job.settings, files, table, logs=job.log.parents[1], ti_bwt=ti_bwt)
    write_text(perplexity, data.perplexity[0].svg)
    write_text(html, render(data))
    log.info("%s", html)


def reads(settings: Settings) -> list[Path]:
    kinds = (evaluation_rows, mask_rows, score_rows, rehearsal_rows)
    found = [row for rows in kinds for row in rows(settings.names)] + analyses_of(settings)
    return [Path(row["path"]) for row in found]


def analyses_of(settings: Settings) -> list[dict]:
    return analysis_rows(settings.names, settings.study.get("analyses", []))


launch(main, Settings, also_reads=reads)

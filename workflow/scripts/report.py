"""One HTML file that says what was compared, how, and what came out; and its figures as SVG and PDF."""

from pathlib import Path

import _setup  # noqa: F401
import polars as pl

from clearminds.files.digests import file_sha256
from clearminds.files.reading import readable
from clearminds.files.reported_files import reported_files
from clearminds.files.tables import write_text
from clearminds.job.launch import Job, Output, launch, log
from clearminds.report.figure_files import save_figure
from clearminds.report.page import drawings, render
from clearminds.stages.report import Settings, frontier_of, gather


def main(
    job: Job[Settings, None],
    *,
    summary: Path,
    comparisons: Path,
    html: Output,
    ti_bwt: Output,
    ti_bwt_pdf: Output,
    perplexity: Output,
    perplexity_pdf: Output,
    sweeps: Output,
    sweeps_pdf: Output,
    analyses: Output,
    analyses_pdf: Output,
) -> None:
    with readable(summary, comparisons):
        table, pairs = pl.read_parquet(summary), pl.read_parquet(comparisons)
    frontier = frontier_of(job.settings, table, pairs)
    save_figure(frontier, "", ti_bwt, ti_bwt_pdf)
    data = gather(
        job.settings,
        files_of(job.settings),
        table,
        logs=job.log.parents[1],
        frontier=frontier,
        comparisons=pairs,
        hashes={path.name: file_sha256(path) for path in (summary, comparisons)},
    )
    drawn = drawings(data)
    save_figure(drawn["perplexity"], "No training responses were scored.", perplexity, perplexity_pdf)
    save_figure(drawn["sweeps"], "This study has no sweep over numbers.", sweeps, sweeps_pdf)
    save_figure(drawn["analyses"], "There is no analysis to draw.", analyses, analyses_pdf)
    write_text(html, render(data))
    log.info("%s", html)


def reads(settings: Settings) -> list[Path]:
    kinds = files_of(settings)
    return [Path(row["path"]) for kind, rows in kinds.items() if kind != "adapters" for row in rows]


def files_of(settings: Settings) -> dict[str, list[dict]]:
    return reported_files(settings.names, settings.study.get("analyses", []))


# the report shows what was counted on the way to tables whose rows may be the same all the same
launch(main, Settings, also_reads=reads, facts=lambda settings: ("counts", "masks", "scoring"))

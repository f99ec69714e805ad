"""The result table: score, TI and BWT of every variant, as Parquet, CSV and Markdown; and every comparison."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.files.study_files import evaluation_rows, task_kinds
from clearminds.files.tables import atomic_path, write_text
from clearminds.job.launch import Job, Output, launch, log
from clearminds.report.result_table import markdown_table
from clearminds.stages.summarise import Settings, tables


def main(job: Job[Settings, None], *, parquet: Output, csv: Output, md: Output, comparisons: Output) -> None:
    made = tables(evaluation_rows(job.settings.names), task_kinds(job.settings.tasks))
    write_text(csv, made.summary.write_csv())
    write_text(md, markdown_table(made.summary))
    for path, table in ((comparisons, made.comparisons), (parquet, made.summary)):
        with atomic_path(path) as temporary:
            table.write_parquet(temporary)
    log.info("%s, .csv, .md; %s", parquet, comparisons)


def reads(settings: Settings) -> list[Path]:
    return [Path(row["path"]) for row in evaluation_rows(settings.names)]


launch(main, Settings, also_reads=reads)

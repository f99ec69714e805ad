"""One analysis of one model and target, as a table."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.files.analysed_files import analysed_files
from clearminds.files.tables import write_table
from clearminds.job.launch import Job, Output, launch
from clearminds.plugins.load import load
from clearminds.stages.analyse import Settings


def main(job: Job[Settings, None], *, table: Output) -> None:
    plugin = load("analyses", job.settings.analysis)
    found = plugin.analyse(analysed_files(job.settings.analysis, job.settings.names))
    write_table(table, found, plugin.TABLE, job.provenance())


def reads(settings: Settings) -> list[Path]:
    files = analysed_files(settings.analysis, settings.names)
    return [Path(row["path"]) for rows in files.values() for row in rows]


launch(main, Settings, also_reads=reads)

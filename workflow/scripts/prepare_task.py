"""Examples of one split of a task: read or generated, normalised, checked."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.files import contracts
from clearminds.files.tables import write_table
from clearminds.files.user_path import located
from clearminds.job.launch import Job, Output, launch, log
from clearminds.plugins.task_kinds.split_files import files_below, files_of
from clearminds.stages.prepare_task import Settings, prepare


def main(job: Job[Settings, None], *, task: str, examples: Output) -> None:
    rows, counts = prepare(task, job.settings)
    log.info("%d examples; changed by normalising: %s", counts["examples"], counts["normalised"] or "none")
    write_table(examples, rows, contracts.EXAMPLES, job.provenance(counts=counts))


def users_files(settings: Settings) -> list[Path]:
    if settings.task["kind"] == "hub":  # or a folder of the user's that is laid out like one of the hub's
        return files_below(located(settings.task["hub"]))
    return files_of(settings.task["splits"][settings.split]) if settings.task["kind"] == "file" else []


launch(main, Settings, also_reads=users_files, reuse=False)  # a hub may offer something else under the same name

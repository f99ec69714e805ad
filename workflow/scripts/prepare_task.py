"""Examples of one split of a task: read or generated, normalised, checked."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.files.tables import write_table
from clearminds.job.launch import Job, Output, launch, log
from clearminds.stages.prepare_task import prepare


def main(job: Job, *, task: str, examples: Output) -> None:
    spec = job.spec["task"] | {"needs_reference": job.spec["needs_reference"]}
    rows, counts = prepare(task, spec, job.spec["split"])
    log.info("%d examples; changed by normalising: %s", counts["examples"], counts["normalised"] or "none")
    write_table(examples, rows, "EXAMPLES", job.provenance(counts=counts))


def users_file(spec: dict) -> list[Path]:
    split = spec["task"]["splits"][spec["split"]]
    return [Path(split if isinstance(split, str) else split["path"])] if spec["task"]["kind"] == "file" else []


launch(main, also_reads=users_file, reuse=False)  # a hub may offer something else under the same name

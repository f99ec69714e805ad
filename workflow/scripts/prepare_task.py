"""Examples of one split of a task: read or generated, normalised, checked."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.launch import Job, launch, log
from clearminds.prepare_task import prepare
from clearminds.tables import write_table


def main(job: Job, *, task: str, examples: Path) -> None:
    spec = job.spec["task"] | {"needs_reference": job.spec["needs_reference"]}
    rows, counts = prepare(task, spec, job.spec["split"])
    log.info("%d examples; changed by normalising: %s", counts["examples"], counts["normalised"] or "none")
    write_table(examples, rows, "EXAMPLES", job.provenance(counts=counts))


launch(main)

"""What would fail later, tried now: the model, its examples, one item of each task, one step of each training."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.files.tables import library_versions, write_json
from clearminds.job.launch import Job, Output, launch
from clearminds.model.fingerprints import fingerprints
from clearminds.stages.evaluate import by_task
from clearminds.stages.rehearse import Runtime, Settings, rehearse


def main(
    job: Job[Settings, Runtime], *, model: Path, train: list[Path], evaluated: list[Path], rehearsal: Output
) -> None:
    facts, tables = fingerprints(model), (by_task(train), by_task(evaluated))
    found = rehearse(model.parent, facts["base"], *tables, job.settings, job.runtime)
    write_json(rehearsal, {**job.provenance(**facts), "libraries": library_versions(), **found})


launch(main, Settings, Runtime, unused=("datasets", "scipy"))

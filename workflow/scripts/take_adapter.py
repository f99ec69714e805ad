"""An adapter or a model that somebody else trained: brought here, checked against its base, with hashes."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.files.tables import write_json
from clearminds.job.launch import Job, Output, launch, log
from clearminds.model.fingerprints import fingerprints
from clearminds.stages.take_adapter import Settings, take


def main(job: Job[Settings, None], *, model: Path, adapter: Output) -> None:
    facts = fingerprints(model)
    found = take(job.settings, adapter.parent, model.parent, facts["base"])
    log.info("%s, of %d files", found["kind"], len(found["files"]))
    write_json(adapter, {**found, **job.provenance(**facts)})


launch(main, Settings, reuse=False, unused=("scipy",))  # the files behind a path, and a hub, are not input files

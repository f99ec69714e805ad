"""How much of the base's gradient comes from tokens of high perplexity."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.files import contracts
from clearminds.files.tables import write_table
from clearminds.job.launch import Job, Output, launch
from clearminds.model.fingerprints import fingerprints
from clearminds.stages.measure_gradients import Runtime, Settings, measure_gradients


def main(
    job: Job[Settings, Runtime], *, scores: list[Path], sequences: list[Path], model: Path, gradients: Output
) -> dict:
    tables = dict(zip(job.settings.sources, zip(scores, sequences, strict=True), strict=True))
    rows, cost = measure_gradients(model.parent, tables, job.settings, job.runtime)
    write_table(gradients, rows, contracts.GRADIENT_NORMS, job.provenance(**fingerprints(model)))
    return cost


launch(main, Settings, Runtime, unused=("pandas", "scipy"))

"""The base model, before any training, on every task of a suite."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.files import contracts
from clearminds.files.tables import write_table
from clearminds.job.launch import Job, Output, launch
from clearminds.model.fingerprints import fingerprints
from clearminds.stages.evaluate import Runtime, Settings, by_task, evaluate
from clearminds.stages.verify_responses import sandbox_used


def main(
    job: Job[Settings, Runtime], *, examples: list[Path], answers: list[Path], model: Path, evaluation: Output
) -> dict:
    tables = by_task(examples), by_task(answers)
    rows, cost = evaluate(model.parent, None, job.settings, job.runtime, job.gpus, *tables)
    sandbox = sandbox_used((task.verifier for task in job.settings.tasks), job.runtime.sandbox)
    facts = job.provenance(**fingerprints(model), adapter=None, **sandbox)
    write_table(evaluation, rows, contracts.EVALUATION, facts)
    return cost


launch(main, Settings, Runtime, unused=("scipy",))

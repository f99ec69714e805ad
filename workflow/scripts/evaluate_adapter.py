"""One adapter on every task of a suite."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.job.launch import Job, Output, launch
from clearminds.stages.evaluate import evaluate_files


def main(
    job: Job, *, examples: list[Path], answers: list[Path], model: Path, adapter: Path, evaluation: Output
) -> None:
    evaluate_files(job, examples, answers, model, adapter, evaluation)


launch(main)

"""The base model, before any training, on every task of a suite."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.job.launch import Job, Output, launch


def main(job: Job, *, examples: list[Path], answers: list[Path], model: Path, evaluation: Output) -> dict:
    from clearminds.stages.evaluate import evaluate_files

    return evaluate_files(job, examples, answers, model, None, evaluation)


launch(main)

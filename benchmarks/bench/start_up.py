"""What a job takes to begin: whole jobs of a tiny model, which compute for some tenths of a second. What of that are
imports, `imports.py` tells."""

import shutil
from pathlib import Path

import tiny_run
from measured import Measured, Places

TARGET = 1 / 3  # starts per second of a core
# a job of each stage, as its log's path has it
JOBS = {
    "prepare_task": "sums/train",
    "generate_responses": "tiny/sums/train.self_output",
    "verify_responses": "tiny/sums/train.self_output",
    "score_token_perplexity": "tiny/tiny/sums/train.reference",
    "build_masks": "tiny/sums/stm-200",
    "train_adapter": "tiny/sums/stm-200/seed0",
    "evaluate_adapter": "tiny/sums/stm-200/seed0/all",
    "summarise": "summary",
}


def own(stage: str, places: Places) -> Measured:
    """One job of a stage, computed anew."""
    folder = emptied(places)
    return tiny_run.timed(tiny_run.job(folder, stage, JOBS[stage]), folder)


def emptied(places: Places) -> Path:
    """The folder of the finished study, without its store: a job would take its responses and scores from there."""
    folder = tiny_run.finished(places.work)
    shutil.rmtree(folder / "results" / "store", ignore_errors=True)
    return folder

"""Why an evaluation is missing, by the records that jobs leave of how they ended."""

from types import SimpleNamespace

import pytest

from clearminds.files.layout import Layout
from clearminds.job.outcome import Kind, Outcome, State, write_outcome
from clearminds.run.partial_report import _Soundness

BASE = {
    "path": "results/s/evaluations/m/base/all.parquet",
    "variant": "base",
    "model": "m",
    "target": "",
    "seed": None,
    "suite": "all",
}
TRAINED = {
    "path": "results/s/evaluations/m/sums/stm/seed0/all.parquet",
    "variant": "stm",
    "model": "m",
    "target": "sums",
    "seed": 0,
    "suite": "all",
}
FAILED = Outcome(State.FAILED, Kind.USER_ERROR, "no such layer", exit_code=1)
STOPPED = Outcome(State.STOPPED, line="stopped by the user or the scheduler; run again to go on", exit_code=143)
DONE, TAKEN_BACK = Outcome(State.DONE, exit_code=0), Outcome(State.TAKEN_BACK, exit_code=0)
KILLED = Outcome(State.STARTED)
NOT_RUN = "not run: the run ended before"


@pytest.fixture
def why(tmp_path, monkeypatch):
    """Records the ends of jobs by their logs, then says why an evaluation is missing."""
    monkeypatch.chdir(tmp_path)
    specs = SimpleNamespace(layout=Layout.of("s"), draws=lambda variant, seed: "")

    def why(row, ends):
        for place, outcome in ends.items():
            log = tmp_path / "logs" / "s" / place
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text("ERROR clearminds: error: a log decides nothing\n")
            if outcome:
                write_outcome(log, outcome)
        return _Soundness(specs).why_not(row)

    return why


SEED = "train_adapter/m/sums/stm/seed0.log"


@pytest.mark.parametrize(
    ("row", "ends", "expected"),
    [
        (TRAINED, {}, NOT_RUN),
        (TRAINED, {SEED: None}, NOT_RUN),
        (TRAINED, {SEED: DONE, "build_masks/m/sums/stm.log": TAKEN_BACK}, NOT_RUN),
        (TRAINED, {SEED: FAILED}, f"train_adapter: no such layer (logs/s/{SEED})"),
        (TRAINED, {SEED: STOPPED}, f"train_adapter: {STOPPED.line} (logs/s/{SEED})"),
        (TRAINED, {SEED: KILLED}, f"train_adapter: it was killed, perhaps out of memory (logs/s/{SEED})"),
        (TRAINED, {"train_adapter/m/sums/stm/seed1.log": FAILED}, NOT_RUN),
        (
            TRAINED,
            {SEED: KILLED, "prepare_task/sums/train.log": FAILED},
            "prepare_task: no such layer (logs/s/prepare_task/sums/train.log)",
        ),
        (BASE, {"rehearse/m.log": FAILED}, "rehearse: no such layer (logs/s/rehearse/m.log)"),
        (
            TRAINED,
            {"score_token_perplexity/m/m/sums/train.reference.log": FAILED},
            "score_token_perplexity: no such layer (logs/s/score_token_perplexity/m/m/sums/train.reference.log)",
        ),
        (BASE, {"score_token_perplexity/m/m/sums/train.reference.log": FAILED, SEED: FAILED}, NOT_RUN),
        (BASE, {"evaluate_base/m/all.log": FAILED}, "evaluate_base: no such layer (logs/s/evaluate_base/m/all.log)"),
    ],
)
def test_what_is_missing_is_told_with_its_cause_and_the_log(why, row, ends, expected):
    assert why(row, ends) == expected

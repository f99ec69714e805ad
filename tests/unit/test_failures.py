"""Which cause a failed job has, by its record and what Snakemake knows, and the lines that end a run."""

from pathlib import Path

import pytest

from clearminds.job.outcome import Kind, Outcome, State, write_outcome
from clearminds.run.failures import KILLED, NO_RECORD, NOT_ACCEPTED, Failure, Failures, failure_lines

LOG = Path("logs/s/train_adapter/m/sums/stm/seed0.log")
FAILED = Outcome(State.FAILED, Kind.USER_ERROR, "no such layer", exit_code=1)
UNEXPECTED = Outcome(State.FAILED, Kind.UNEXPECTED, f"unexpected KeyError: 'x' (traceback in {LOG})", exit_code=1)
STOPPED = Outcome(State.STOPPED, line="stopped by the scheduler", exit_code=143)
STARTED, DONE = Outcome(State.STARTED), Outcome(State.DONE, exit_code=0)
WORDS = "SLURM status is: 'TIMEOUT'"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    LOG.parent.mkdir(parents=True)


def failure(outcome: Outcome | None, before: Outcome | None = None, words: str = "") -> Failure:
    """Record how a job ended in an earlier run and in this one, and tell its failure."""
    if before:
        write_outcome(LOG, before)
    failures = Failures(Path("logs/s"))
    if outcome:
        write_outcome(LOG, outcome)
    if words:
        failures.heard(str(LOG), words)
    return failures.of(str(LOG))


@pytest.mark.parametrize(
    ("outcome", "before", "words", "cause"),
    [
        (FAILED, None, "", "no such layer"),
        (FAILED, DONE, WORDS, "no such layer"),
        (UNEXPECTED, None, "", "unexpected KeyError: 'x'"),
        (STARTED, FAILED, "", KILLED),
        (STARTED, None, WORDS, WORDS),
        (STOPPED, None, WORDS, f"stopped by the scheduler; {WORDS}"),
        (None, FAILED, "", NO_RECORD),  # an earlier run's record
        (None, None, WORDS, WORDS),
        (DONE, None, "", NOT_ACCEPTED),
    ],
)
def test_a_cause_is_what_this_run_knows(folder, outcome, before, words, cause):
    assert failure(outcome, before, words) == Failure("train_adapter m/sums/stm/seed0", cause, str(LOG))


def test_equal_causes_are_one_line_with_their_count_and_the_first_logs():
    many = [Failure(f"train_adapter {n}", "out of memory", f"{n}.log") for n in range(5)]
    lines = failure_lines([many[0], Failure("report report", "no space", "report.log"), *many[1:]])
    assert lines == [
        "error: train_adapter 0 and 4 more: out of memory (log: 0.log, 1.log, 2.log, and 2 more)",
        "error: report report: no space (log: report.log)",
        "fix this, then start the same command again: what is done stays done",
    ]
    assert failure_lines(many[:3])[0].endswith("0 and 2 more: out of memory (log: 0.log, 1.log, 2.log)")

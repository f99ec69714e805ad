"""The jobs of a run seen from another terminal: what each is doing, why it failed and what it said last."""

import logging
import os
import re
import time
from pathlib import Path

import pytest

from clearminds.commands.watching.run_log_compat import Event
from clearminds.commands.watching.said import last_said
from clearminds.commands.watching.snapshot import SHARDS, JobState, Watched
from clearminds.files.layout import rank_log
from clearminds.job.log import open_log
from clearminds.job.outcome import Kind, Outcome, State, read_outcome
from clearminds.reuse.stage_code import STAGES
from clearminds.run.failures import KILLED, NO_RECORD, NOT_ACCEPTED
from tests.watched import DONE, FAILED, HEAD, LAYOUT, STARTED, STOPPED, TRAINING, begin, record, say, shown, tell

RULES = Path(__file__).parents[2] / "workflow" / "rules"
TAKEN_BACK = Outcome(State.TAKEN_BACK, exit_code=0)
WORDS = "SLURM-job '7' failed, SLURM status is: 'TIMEOUT'. (see logs/slurm/1.log)"
SUBMITTED, FINISHED, ERROR = Event.SUBMITTED, Event.FINISHED, Event.FAILED


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("outcome", "told", "alive", "state", "cause"),
    [
        (STARTED, [], True, JobState.RUNNING, ""),
        (STARTED, [SUBMITTED], True, JobState.RUNNING, ""),
        (None, [SUBMITTED], True, JobState.WAITING, ""),
        (STARTED, [SUBMITTED], False, JobState.KILLED, "killed with its run"),
        (DONE, [SUBMITTED], True, JobState.DONE, ""),
        (TAKEN_BACK, [], False, JobState.DONE, ""),
        (None, [SUBMITTED, FINISHED], True, JobState.DONE, ""),  # on a full disk there is no record
        (FAILED, [SUBMITTED], True, JobState.FAILED, "no such layer"),
        (STOPPED, [SUBMITTED], False, JobState.STOPPED, "stopped by the user"),
        (STARTED, [SUBMITTED, ERROR], True, JobState.FAILED, KILLED),
        (DONE, [SUBMITTED, ERROR], True, JobState.FAILED, NOT_ACCEPTED),
        (None, [SUBMITTED, ERROR], True, JobState.FAILED, NO_RECORD),
    ],
)
def test_what_a_job_is_doing(outcome, told, alive, state, cause):
    begin(alive)
    say(HEAD)
    tell(*told)
    if outcome:
        record(TRAINING, outcome)
    [job] = Watched().look().jobs
    assert (job.stage, job.name, job.state, job.cause) == ("train_adapter", "m/t/stm/seed0", state, cause)
    assert str(TRAINING) in shown() or not cause or state is JobState.STOPPED


@pytest.mark.parametrize(
    ("outcome", "words", "cause"),
    [
        (None, WORDS, WORDS),
        (STARTED, WORDS, WORDS),
        (FAILED, f"no such layer; {WORDS}", "no such layer"),
        (STOPPED, WORDS, f"stopped by the user; {WORDS}"),
        (STOPPED, f"stopped by the user; {WORDS}", f"stopped by the user; {WORDS}"),  # as the run itself tells it
    ],
)
def test_what_the_scheduler_says_of_a_failure_is_shown(outcome, words, cause):
    begin(alive=True)
    say(HEAD)
    tell(SUBMITTED, ERROR, words=words)
    if outcome:
        record(TRAINING, outcome)
    [job] = Watched().look().jobs
    assert (job.state, job.cause) == (JobState.FAILED, cause)


@pytest.mark.parametrize("former", [STARTED, FAILED, STOPPED, DONE])
@pytest.mark.parametrize("told", [[SUBMITTED, ERROR, SUBMITTED], [SUBMITTED, SUBMITTED]])  # some errors are not told
def test_a_job_that_is_tried_again_waits_whatever_its_former_attempt_recorded(former, told):
    begin(alive=True)
    say(HEAD)
    record(TRAINING, former)
    tell(*told)
    [job] = Watched().look().jobs
    assert (job.state, job.attempt, job.changed) == (JobState.WAITING, 2, None)
    assert shown().endswith("\n\ntrain_adapter m/t/stm/seed0: waits, attempt 2")


@pytest.mark.parametrize(("now", "state"), [(STARTED, JobState.RUNNING), (FAILED, JobState.FAILED)])
def test_the_record_of_the_last_attempt_counts(now, state):
    begin(alive=True)
    say(HEAD)
    tell(SUBMITTED, ERROR, SUBMITTED)
    record(TRAINING, Outcome(**{**vars(now), "attempt": 2}))
    assert read_outcome(TRAINING).attempt == 2
    [job] = Watched().look().jobs
    assert (job.state, job.attempt) == (state, 2)
    assert state is JobState.FAILED or re.search(r"seed0, for 0:00:0\d, attempt 2$", shown())


def test_a_second_attempt_that_leaves_no_record_does_not_fail_for_the_cause_of_the_first():
    begin(alive=True)
    say(HEAD)
    record(TRAINING, FAILED)
    tell(SUBMITTED, ERROR, SUBMITTED, ERROR)
    [job] = Watched().look().jobs
    assert (job.state, job.cause) == (JobState.FAILED, NO_RECORD)


@pytest.fixture
def logging_to():
    """Opens a job's log as a job does."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield open_log
    for handler in set(root.handlers) - set(before):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    logging.captureWarnings(False)


def test_a_running_job_shows_the_last_line_of_the_project_s_own(logging_to):
    begin(alive=True)
    record(TRAINING, STARTED)
    logging_to(TRAINING)
    logging.getLogger("clearminds.job").info("started")
    logging.getLogger("clearminds").info("40 of 120 steps, 187 tokens/s, 0:01:10 left")
    logging.getLogger("clearminds").debug("a detail")
    logging.getLogger("peft").warning("a library's\nown words")
    assert re.search(
        r"\ntrain_adapter m/t/stm/seed0, for 0:00:0\d\n    40 of 120 steps, 187 tokens/s, 0:01:10 left \(\d s ago\)$",
        shown(),
    )


def test_how_long_ago_a_line_was_written_does_not_depend_on_the_time_zone_of_its_node():
    TRAINING.parent.mkdir(parents=True)
    TRAINING.write_text("1999-01-01 10:00:00,000 INFO clearminds: a\n1999-01-01 10:00:30,000 DEBUG peft: b\n")
    os.utime(TRAINING, (time.time() - 60, time.time() - 60))
    said = last_said(TRAINING)
    assert said.text == "a" and 89 < said.ago < 120


def test_of_several_processes_the_first_one_speaks_and_none_is_a_job():
    begin(alive=True)
    record(TRAINING, STARTED)
    record(rank_log(TRAINING, 0), STARTED)
    TRAINING.write_text("1999-01-01 10:00:00,000 INFO clearminds.job: started\n")
    os.utime(TRAINING, (1, 1))
    rank_log(TRAINING, 0).write_text("1999-01-01 10:00:00,000 INFO clearminds: 1 of 2 steps\n")
    [job] = Watched().look().jobs
    assert job.said.text == "1 of 2 steps"


@pytest.mark.parametrize("text", [None, "", "no line of ours\n" * 9000])
def test_a_log_without_a_line_of_the_project_s_own_says_nothing(text):
    TRAINING.parent.mkdir(parents=True)
    if text is not None:
        TRAINING.write_text(text)
    assert last_said(TRAINING) is None


def test_a_damaged_record_is_not_a_job_that_ended():
    begin(alive=True)
    TRAINING.parent.mkdir(parents=True)
    TRAINING.with_suffix(".outcome.json").write_text("{")
    assert [job.state for job in Watched().look().jobs] == [JobState.WAITING]


def test_every_rule_that_makes_something_belongs_to_a_stage():
    rules = {name for file in RULES.glob("*.smk") for name in re.findall(r"^rule (\w+):", file.read_text(), re.M)}
    assert {SHARDS.get(rule, rule) for rule in rules} == set(STAGES)


def test_why_jobs_failed_is_said_once_and_before_the_many_that_run():
    begin(alive=True)
    for n in range(30):
        record(Path(LAYOUT.adapter.log_path(model="m", target="t", variant=f"v{n}", seed=0)), STARTED)
        record(Path(LAYOUT.examples.log_path(task="t", split=f"s{n}")), FAILED)
    text = shown()
    assert text.count("no such layer") == 1 and "and 29 more: no such layer (log: " in text
    assert text.index("no such layer") < text.index("train_adapter m/t/v0/seed0, for")
    assert text.endswith("\nand 10 more running")


def test_no_control_character_of_a_message_reaches_the_terminal():
    begin(alive=True)
    record(TRAINING, Outcome(State.FAILED, Kind.USER_ERROR, "\x1b[2Jgone", exit_code=1))
    assert "\x1b" not in shown() and "gone" in shown()

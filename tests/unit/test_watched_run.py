"""A run seen from another terminal: how it stands, by its lock, its records and Snakemake's log together."""

import errno
import fcntl
import os
import re
import time
from pathlib import Path

import pytest

from clearminds.commands.watching.run_log_compat import Event
from clearminds.commands.watching.snapshot import JobState, RunState, Watched
from clearminds.run.one_run import LOCK, take_lock
from tests.watched import (
    DONE,
    FAILED,
    HEAD,
    LAYOUT,
    STARTED,
    STOPPED,
    TASK,
    TRAINING,
    begin,
    locked,
    record,
    row,
    say,
    shown,
    tell,
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def later() -> None:
    """Wait until the file system's clock has moved on, which is coarse."""
    time.sleep(0.02)


def test_before_any_run_it_says_so(folder):
    assert shown() == f"no run has been started in {folder}"


def test_a_folder_of_snakemake_that_cannot_be_entered_is_an_error_and_not_no_run(folder):
    (folder / ".snakemake").symlink_to(".snakemake")  # which root cannot enter either
    with pytest.raises(OSError, match=r"\.snakemake/clearminds"):
        shown()


def test_a_run_that_has_not_planned_yet_is_alive(folder):
    begin(alive=True)
    stands, whose = shown().splitlines()
    assert re.fullmatch(r"the run: running for 0:00:0\d, it has not planned its jobs yet", stands)
    assert whose == f"process {os.getpid()} in {folder}"


@pytest.mark.parametrize("before", [True, False])
def test_a_run_that_has_not_said_yet_of_which_study_it_is_shows_no_job_of_the_one_before(folder, before):
    if before:
        begin(alive=False)
        locked()
        record(TRAINING, STARTED)
        later()
    assert take_lock() is None
    assert shown() == f"a run begins\nprocess {os.getpid()} in {folder}"


def test_what_took_the_lock_after_a_run_and_is_gone_is_no_run():
    begin(alive=False)
    later()
    LOCK.write_text("456")
    record(TRAINING, DONE)
    say(HEAD)
    assert Watched().look().run is RunState.STOPPED


def test_counts_are_of_this_run_and_of_all_its_jobs():
    record(Path(LAYOUT.examples.log_path(task="t", split="test")), FAILED)  # an earlier run's
    later()
    begin(alive=True)
    say(HEAD)
    record(TASK, DONE)
    record(TRAINING, STARTED)
    assert row("prepare_task") == ["1", "-", "2"] and row("train_adapter") == ["-", "1", "1"]
    assert row("together") == ["1", "1", "3"]
    assert ", 1 of 3 jobs done\n" in shown()


def test_a_killed_run_is_named_as_dead_with_the_jobs_that_it_cut_off():
    begin(alive=False)
    locked()
    say(HEAD)
    tell(Event.SUBMITTED)
    tell(Event.SUBMITTED, log=TASK)
    record(TRAINING, STARTED)
    head, *others = shown().splitlines()
    assert head == "s: killed, 0 of 3 jobs done; `make resume` goes on, given its STUDY= and PROFILE="
    assert others[0].startswith("process 123 is gone, ")
    assert f"train_adapter m/t/stm/seed0: killed with its run (log: {TRAINING})" in others
    assert row("together") == ["-", "-", "1", "3"]  # what was about to be started is not waiting any more


def test_a_killed_run_on_a_cluster_may_leave_its_jobs_with_the_scheduler():
    begin(alive=False)
    locked()
    say("SLURM run ID: 1\n", HEAD)
    tell(Event.SUBMITTED)
    assert [job.state for job in Watched().look().jobs] == [JobState.WAITING]
    record(TRAINING, STARTED)
    assert [job.state for job in Watched().look().jobs] == [JobState.RUNNING]
    text = shown()
    assert "killed" in text and "its jobs may still be with the scheduler" in text
    assert re.search(r"\ntrain_adapter m/t/stm/seed0, last seen running, begun 0:00:0\d ago$", text)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_without_locks_nobody_can_tell_whether_a_run_is_alive(folder, monkeypatch, number):
    def none(*_):
        raise OSError(number, os.strerror(number))

    begin(alive=False)
    locked()
    say(HEAD)
    record(TRAINING, STARTED)
    monkeypatch.setattr(fcntl, "flock", none)
    head, where, *others = shown().splitlines()
    assert head == "s: 0 of 3 jobs done; whether it is running cannot be told here"
    assert where == f"process 123 in {folder}, whose file system has no locks"
    assert "make resume" not in shown() and "killed" not in shown()
    assert others[-1].startswith("train_adapter m/t/stm/seed0, last seen running, begun ")


def test_without_locks_a_run_that_has_done_all_its_jobs_has_finished(monkeypatch):
    def none(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    begin(alive=False)
    say(HEAD)
    for n in range(3):
        record(Path(LAYOUT.examples.log_path(task="t", split=f"s{n}")), DONE)
    monkeypatch.setattr(fcntl, "flock", none)
    assert Watched().look().run is RunState.FINISHED


@pytest.mark.parametrize(
    ("records", "plan", "state", "words"),
    [
        ([DONE, DONE, DONE], HEAD, RunState.FINISHED, "finished, 3 of 3 jobs done"),
        ([DONE, FAILED], HEAD, RunState.FAILED, "failed, 1 of 3 jobs done; the same command goes on"),
        ([DONE, STOPPED], HEAD, RunState.STOPPED, "stopped, 1 of 3 jobs done; the same command goes on"),
        ([DONE], HEAD, RunState.STOPPED, "stopped, 1 of 3 jobs done; the same command goes on"),
        ([DONE, STOPPED], "", RunState.STOPPED, "stopped, 1 jobs done so far; the same command goes on"),
        ([DONE, DONE], "", RunState.ENDED, "ended, 2 jobs done so far\n"),
    ],
)
def test_after_a_run_it_says_how_it_ended(records, plan, state, words):
    begin(alive=False)
    say(plan)
    for n, outcome in enumerate(records):
        record(Path(LAYOUT.examples.log_path(task="t", split=f"s{n}")), outcome)
    assert Watched().look().run is state
    assert words in shown()


def test_of_a_run_whose_plan_is_not_known_it_says_what_is_done_so_far():
    begin(alive=True)
    record(TASK, DONE)
    assert re.match(r"s: running for 0:00:0\d, 1 jobs done so far\n", shown())


def test_a_run_with_nothing_to_do_has_started_no_job():
    begin(alive=False)
    assert shown().startswith("the run: has ended, and started no job\n")


def test_a_run_is_followed_from_its_begin_over_its_end_to_the_next_one():
    watched = Watched()
    assert watched.look().run is RunState.NONE
    begin(alive=False)
    say(HEAD)
    record(TRAINING, DONE)
    assert watched.look().run is RunState.STOPPED and watched.look().planned == {"prepare_task": 2, "train_adapter": 1}
    later()
    begin(alive=True)
    assert watched.look().run is RunState.ALIVE and watched.look().jobs == [] and watched.look().planned == {}
    say(HEAD)  # into the same file, which is newer than the run now
    record(TRAINING, STARTED)
    assert [job.state for job in watched.look().jobs] == [JobState.RUNNING]
    record(TRAINING, FAILED)
    assert [job.state for job in watched.look().jobs] == [JobState.FAILED]


def test_a_study_that_was_not_run_last_is_shown_by_its_records(folder):
    record(TRAINING, DONE)
    begin(alive=True, study="other")
    assert shown("s").startswith("s: not what was run last")
    assert [job.state for job in Watched("s").look().jobs] == [JobState.DONE]
    assert shown("never") == f"never: no job of it has been started in {folder}"


def test_looking_writes_nothing(folder):
    begin(alive=False)
    say(HEAD)
    record(TRAINING, STARTED)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    shown()
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before

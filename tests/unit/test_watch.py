"""A run seen from another terminal: what its records, its lock and Snakemake's log say together."""

import logging
import os
import re
import time
from pathlib import Path

import pytest

from clearminds.commands import watch
from clearminds.commands.watching.run_log_compat import LOCKS, LOGS, Heard
from clearminds.commands.watching.said import last_said
from clearminds.commands.watching.snapshot import SHARDS, JobState, RunState, Watched
from clearminds.commands.watching.view import lines
from clearminds.errors import UserError
from clearminds.files.digests import digest
from clearminds.files.layout import Layout, rank_log
from clearminds.files.tables import write_json
from clearminds.job.log import open_log
from clearminds.job.outcome import Kind, Outcome, State, write_outcome
from clearminds.reuse.stage_code import STAGES
from clearminds.run.failures import KILLED, NO_RECORD, NOT_ACCEPTED
from clearminds.run.one_run import LOCK, STUDY, take_lock

RULES = Path(__file__).parents[2] / "workflow" / "rules"
LAYOUT = Layout.of("s")
TRAINING = Path(LAYOUT.adapter.log_path(model="m", target="t", variant="stm", seed=0))
TASK = Path(LAYOUT.examples.log_path(task="t", split="train"))
STARTED, DONE = Outcome(State.STARTED), Outcome(State.DONE, exit_code=0)
TAKEN_BACK = Outcome(State.TAKEN_BACK, exit_code=0)
FAILED = Outcome(State.FAILED, Kind.USER_ERROR, "no such layer", exit_code=1)
STOPPED = Outcome(State.STOPPED, line="stopped by the user", exit_code=143)

HEAD = "Job stats:\njob  count\n---  -----\nprepare_task  2\ntrain_adapter  1\nall  1\ntotal  4\n\n"
BLOCK = "[now]\nrule train_adapter:\n    log: {log}\n    jobid: 1\n"
ERROR = "[now]\nError in rule train_adapter:\n    jobid: 1\n    log: {log} (check log file(s) for error details)\n"
WORDS = {
    Heard.SUBMITTED: BLOCK,
    Heard.FAILED: ERROR,
    Heard.FINISHED: f"{BLOCK}[now]\nFinished jobid: 1 (Rule: train_adapter)\n",
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def begin(alive: bool, study: str = "s") -> None:
    """What a run leaves when it begins. Args: whether it is alive still."""
    if alive:
        assert take_lock() is None
    else:
        LOCK.parent.mkdir(exist_ok=True)
        LOCK.write_text("123")
    write_json(STUDY, {"study": digest(study)})


def say(*words: str) -> None:
    """What Snakemake says in its log file."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with open(LOGS / "2026-11-24T185108.027571.snakemake.log", "a", encoding="utf-8") as file:
        file.write("".join(words))


def record(log: Path, outcome: Outcome) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    write_outcome(log, outcome)


def locked() -> None:
    """Snakemake's lock, as a killed run leaves it."""
    LOCKS.mkdir(parents=True)
    (LOCKS / "0.output.lock").touch()


def shown(study: str = "") -> str:
    return "\n".join(lines(Watched(study).look()))


def row(stage: str) -> list[str]:
    """The cells of a stage's line, by the heads that are shown."""
    text = shown().splitlines()
    return next(line.split() for line in text if line.startswith(f"{stage} "))[1:]


def test_before_any_run_it_says_so(folder):
    assert shown() == f"no run has been started in {folder}"


def test_a_run_that_has_not_planned_yet_is_alive(folder):
    begin(alive=True)
    stands, whose = shown().splitlines()
    assert re.fullmatch(r"the run: running for 0:00:0\d, it has not planned its jobs yet", stands)
    assert whose == f"process {os.getpid()} in {folder}"


@pytest.mark.parametrize(
    ("outcome", "heard", "alive", "state", "cause"),
    [
        (STARTED, None, True, JobState.RUNNING, ""),
        (STARTED, Heard.SUBMITTED, True, JobState.RUNNING, ""),
        (None, Heard.SUBMITTED, True, JobState.WAITING, ""),
        (STARTED, Heard.SUBMITTED, False, JobState.KILLED, "killed with its run"),
        (DONE, Heard.SUBMITTED, True, JobState.DONE, ""),
        (TAKEN_BACK, None, False, JobState.DONE, ""),
        (None, Heard.FINISHED, True, JobState.DONE, ""),  # on a full disk there is no record
        (FAILED, Heard.SUBMITTED, True, JobState.FAILED, "no such layer"),
        (STOPPED, Heard.SUBMITTED, False, JobState.STOPPED, "stopped by the user"),
        (STARTED, Heard.FAILED, True, JobState.FAILED, KILLED),
        (DONE, Heard.FAILED, True, JobState.FAILED, NOT_ACCEPTED),
        (None, Heard.FAILED, True, JobState.FAILED, NO_RECORD),
    ],
)
def test_what_a_job_is_doing(outcome, heard, alive, state, cause):
    begin(alive)
    say(HEAD, *([WORDS[heard].format(log=TRAINING)] if heard else []))
    if outcome:
        record(TRAINING, outcome)
    [job] = Watched().look().jobs
    assert (job.stage, job.name, job.state, job.cause) == ("train_adapter", "m/t/stm/seed0", state, cause)
    assert str(TRAINING) in shown() or not cause or state is JobState.STOPPED


def test_counts_are_of_this_run_and_of_all_its_jobs():
    record(Path(LAYOUT.examples.log_path(task="t", split="test")), FAILED)  # an earlier run's
    time.sleep(0.02)  # clocks of file systems are coarse
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
    say(HEAD, WORDS[Heard.SUBMITTED].format(log=TRAINING), WORDS[Heard.SUBMITTED].format(log=TASK))
    record(TRAINING, STARTED)
    head, *others = shown().splitlines()
    assert head == "s: killed, 0 of 3 jobs done; `make resume` goes on, given its STUDY= and PROFILE="
    assert others[0].startswith("process 123 is gone, ")
    assert f"train_adapter m/t/stm/seed0: killed with its run (log: {TRAINING})" in others
    assert row("together") == ["-", "-", "1", "3"]  # what was about to be started is not waiting any more


def test_a_killed_run_on_a_cluster_leaves_its_jobs_with_the_scheduler():
    begin(alive=False)
    locked()
    say("SLURM run ID: 1\n", HEAD, WORDS[Heard.SUBMITTED].format(log=TRAINING))
    assert [job.state for job in Watched().look().jobs] == [JobState.WAITING]
    record(TRAINING, STARTED)
    assert [job.state for job in Watched().look().jobs] == [JobState.RUNNING]
    assert "killed" in shown() and "its jobs are still with the scheduler" in shown()


@pytest.mark.parametrize(
    ("records", "state", "words"),
    [
        ([DONE, DONE, DONE], RunState.FINISHED, "finished, 3 of 3 jobs done"),
        ([DONE, FAILED], RunState.FAILED, "failed, 1 of 3 jobs done; the same command goes on"),
        ([DONE, STOPPED], RunState.STOPPED, "stopped, 1 of 3 jobs done; the same command goes on"),
    ],
)
def test_after_a_run_it_says_how_it_ended(records, state, words):
    begin(alive=False)
    say(HEAD)
    for n, outcome in enumerate(records):
        record(Path(LAYOUT.examples.log_path(task="t", split=f"s{n}")), outcome)
    assert Watched().look().run is state
    assert words in shown()


def test_a_run_with_nothing_to_do_has_started_no_job():
    begin(alive=False)
    assert shown().startswith("the run: has ended, and started no job\n")


def test_a_run_is_followed_from_its_begin_over_its_end_to_the_next_one(monkeypatch):
    watched = Watched()
    assert watched.look().run is RunState.NONE
    begin(alive=False)
    say(HEAD)
    record(TRAINING, DONE)
    assert watched.look().run is RunState.STOPPED and watched.look().planned == {"prepare_task": 2, "train_adapter": 1}
    time.sleep(0.02)
    begin(alive=True)
    assert watched.look().run is RunState.ALIVE and watched.look().jobs == [] and watched.look().planned == {}
    say(HEAD)  # into the same file, which is newer than the run now
    record(TRAINING, STARTED)
    assert [job.state for job in watched.look().jobs] == [JobState.RUNNING]
    record(TRAINING, FAILED)
    assert [job.state for job in watched.look().jobs] == [JobState.FAILED]


def test_a_study_that_was_not_run_last_is_shown_by_its_records():
    record(TRAINING, DONE)
    begin(alive=True, study="other")
    assert shown("s").startswith("s: not what was run last")
    assert [job.state for job in Watched("s").look().jobs] == [JobState.DONE]


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


def test_looking_writes_nothing(folder):
    begin(alive=False)
    say(HEAD)
    record(TRAINING, STARTED)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    shown()
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


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


def test_lines_are_cut_to_the_terminal():
    assert watch.fitted(["a" * 9, "b", "c"], columns=8, rows=3) == ["aaaaa...", "b", "c"]
    assert watch.fitted(["a", "b", "c", "d"], columns=80, rows=3) == [
        "a",
        "b",
        "and 2 more lines: make the window larger",
    ]


def test_ctrl_c_leaves_the_last_view_on_the_terminal(folder, monkeypatch, capsys):
    def stop(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", stop)
    watch.follow(Watched())
    out = capsys.readouterr().out
    assert out.startswith(watch.OPEN) and "Ctrl-C ends this view, and not the run" in out
    assert out.endswith(f"{watch.CLOSE}no run has been started in {folder}\n")


def test_the_command_prints_once_where_no_terminal_is(folder, capsys):
    watch.main(["--directory", str(folder)])
    assert capsys.readouterr().out == f"no run has been started in {folder}\n"


def test_a_folder_that_is_not_there_is_named():
    with pytest.raises(UserError, match="--directory: nowhere is not a folder"):
        watch.main(["--directory", "nowhere"])

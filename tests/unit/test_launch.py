"""Launchers as Snakemake runs them, in a process of their own: the result, the log, and one line for every failure."""

import json
import signal
import subprocess
import time
from dataclasses import replace

import pytest
from launched import GOOD, Run, only_error, waiting
from never_back import CODE as NEVER_BACK

from clearminds.files import contracts
from clearminds.files.tables import read_provenance, read_table, write_json
from clearminds.job.outcome import Kind, Outcome, State, read_outcome, write_outcome
from clearminds.reuse import stage_code as stages
from clearminds.reuse.run_code import CODE


def test_a_run_leaves_its_result_its_log_and_its_cost(tmp_path):
    run = Run(tmp_path, *GOOD)
    done = run()
    assert done.returncode == 0, done.stderr
    assert [row["reference"] for row in read_table(run.output, contracts.EXAMPLES).to_pylist()] == ["2", "4"]
    facts = read_provenance(run.output)
    assert (facts["stage"], facts["spec"]) == ("prepare_task", run.spec)
    assert facts["code"] == stages.fingerprint("prepare_task", run.spec)
    prefix = "prepare_task mine/train: "
    assert all(line.startswith(prefix) for line in done.stderr.splitlines())
    assert f"{prefix}2 examples; changed by normalising: none" in done.stderr
    assert "2 examples" in run.log.read_text(encoding="utf-8")
    cost = json.loads(run.log.with_suffix(".run.json").read_text(encoding="utf-8"))
    assert cost.keys() >= {"stage", "versions", "threads", "seconds", "peak_memory_bytes"}
    assert cost["peak_memory_bytes"] > 2**20
    assert read_outcome(run.log) == Outcome(State.DONE, exit_code=0)
    assert not run.left_over()


def test_the_same_job_gives_the_same_bytes(tmp_path):
    run = Run(tmp_path, *GOOD)
    run()
    first = run.output.read_bytes()
    run()
    assert run.output.read_bytes() == first


def test_a_user_s_mistake_is_one_line_and_leaves_no_result(tmp_path):
    run = Run(tmp_path, GOOD[0], {"prompt": "What?", "response": ""})
    error = only_error(run())
    assert error == (f"task mine, split train: {run.data} line 2: empty response; fill it in or take the row out")
    assert not run.output.exists()
    assert not run.left_over()
    assert not run.log.with_suffix(".run.json").exists()
    assert "Traceback" not in run.log.read_text(encoding="utf-8")
    assert read_outcome(run.log) == Outcome(State.FAILED, Kind.USER_ERROR, error, exit_code=1)


def test_a_failed_run_leaves_the_former_result_as_it_was(tmp_path):
    run = Run(tmp_path, *GOOD)
    run()
    before = run.output.read_bytes()
    run.data.write_text("not JSON\n", encoding="utf-8")
    assert "line 1: not valid JSON" in only_error(run())
    assert run.output.read_bytes() == before


def test_an_unexpected_error_leaves_its_traceback_in_the_log_only(tmp_path):
    run = Run(tmp_path, *GOOD)
    run.spec["task"]["columns"] = 3
    error = only_error(run())
    assert error.startswith("unexpected AttributeError: 'int' object has no attribute 'items' ")
    assert error.endswith(f"(traceback in {run.log})")
    log = run.log.read_text(encoding="utf-8")
    assert "Traceback (most recent call last)" in log
    assert "rows.py" in log
    assert read_outcome(run.log) == Outcome(State.FAILED, Kind.UNEXPECTED, error, exit_code=1)


def test_control_characters_of_the_data_never_reach_the_terminal(tmp_path):
    escape = "\x1b[2J\x07red\u202e\nnext"
    run = Run(tmp_path, {"prompt": "p", "response": "r", escape: 1})
    run.spec["task"]["columns"] = {"prompt": "prompt", "response": "reply"}
    error = only_error(run())
    assert r"no column 'reply'; found: prompt, response, \x1b[2J\x07red\u202e next" in error


def test_code_that_changed_after_submission_is_refused(tmp_path):
    run = Run(tmp_path, *GOOD)
    assert only_error(run(code="0" * 32)) == (
        "the code of prepare_task changed after this job was submitted; start the workflow again"
    )
    assert not run.output.exists()


@pytest.mark.slow
def test_the_definition_that_changed_since_the_run_began_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Run(tmp_path, *GOOD)
    definition, root = "clearminds.stages.normalise:normalise_example", "root scripts.prepare_task:main"
    write_json(CODE, {**stages.everything(), definition: "another", root: "another"})
    named = "the code of clearminds.stages.normalise.normalise_example changed after"
    assert only_error(run(code="0" * 32)).startswith(named)


def test_a_job_run_by_hand_needs_no_code(tmp_path):
    run = Run(tmp_path, *GOOD)
    assert run(code="").returncode == 0
    assert read_provenance(run.output)["code"] == stages.fingerprint("prepare_task", run.spec)


def test_a_log_that_cannot_be_written_is_one_line(tmp_path):
    run = Run(tmp_path, *GOOD)
    (tmp_path / "file").write_text("")
    log = tmp_path / "file" / "train.log"
    assert only_error(run(log=str(log))) == (
        f"cannot write the log {log} (File exists); free or fix that folder, then run again"
    )
    assert not run.output.exists()


def test_an_output_folder_that_is_a_file_is_named(tmp_path):
    run = Run(tmp_path, *GOOD)
    (tmp_path / "results").write_text("")
    assert str(tmp_path / "results") in only_error(run())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_so_and_leaves_nothing(tmp_path, number, code):
    run = Run(tmp_path, *GOOD)
    waiting(run, tmp_path)
    with subprocess.Popen(run.command(), stderr=subprocess.PIPE, text=True) as process:
        assert "started" in process.stderr.readline()
        process.send_signal(number)
        said = process.stderr.read()
    assert process.returncode == code
    line = "stopped by the user or the scheduler; run again to go on"
    assert said.endswith(f"error: {line}\n")
    assert "Traceback" not in said
    assert read_outcome(run.log) == Outcome(State.STOPPED, line=line, exit_code=code)


# --- what the record of a job's end decides ---------------------------------------------------------------------------


def until(done, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_killed_run_leaves_a_record_that_it_started(tmp_path):
    run = Run(tmp_path, *GOOD)
    run()
    waiting(run, tmp_path)
    with subprocess.Popen(run.command(), stderr=subprocess.DEVNULL) as process:
        until(lambda: read_outcome(run.log) == Outcome(State.STARTED))
        process.kill()
    assert read_outcome(run.log) == Outcome(State.STARTED)


@pytest.mark.slow
def test_a_run_that_does_not_answer_a_signal_was_stopped(tmp_path):
    run = Run(tmp_path, *GOOD)
    waiting(run, tmp_path, NEVER_BACK)
    with subprocess.Popen(run.command(), stderr=subprocess.DEVNULL) as process:
        until(lambda: read_outcome(run.log) == Outcome(State.STARTED))
        time.sleep(1)  # until it is at work
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    assert (read_outcome(run.log).state, read_outcome(run.log).exit_code) == (State.STOPPED, 143)


@pytest.mark.slow
def test_a_run_that_meets_another_writer_leaves_its_record_alone(tmp_path):
    first = Run(tmp_path, *GOOD)
    waiting(first, tmp_path)
    memory = {"memory": str(tmp_path / ".jobs")}
    with subprocess.Popen(first.command(**memory), stderr=subprocess.PIPE, text=True) as process:
        until(lambda: read_outcome(first.log) == Outcome(State.STARTED))
        assert "another job is writing it" in only_error(first(**memory))
        assert read_outcome(first.log) == Outcome(State.STARTED)
        process.kill()


OUT_OF_MEMORY = Outcome(State.FAILED, Kind.OUT_OF_MEMORY, "out of memory on the GPU: lower it", True, 1)


@pytest.mark.slow
def test_a_retry_after_a_gpu_ran_out_of_memory_is_refused_by_the_record(tmp_path):
    run = Run(tmp_path, *GOOD)
    run.log.parent.mkdir(parents=True)
    write_outcome(run.log, OUT_OF_MEMORY)
    for attempt in (2, 3):
        assert only_error(run(runtime=json.dumps({"attempt": attempt}))) == OUT_OF_MEMORY.line
        assert read_outcome(run.log) == replace(OUT_OF_MEMORY, attempt=attempt)
    assert not run.output.exists()
    assert run(runtime=json.dumps({"attempt": 1})).returncode == 0  # the user runs again
    assert read_outcome(run.log) == Outcome(State.DONE, exit_code=0)


def test_an_error_of_a_library_is_recorded_by_its_type(tmp_path):
    run = Run(tmp_path, *GOOD)
    waiting(run, tmp_path, "raise MemoryError")
    error = only_error(run())
    assert error.startswith("out of memory: free some (on a cluster: ")
    assert read_outcome(run.log) == Outcome(State.FAILED, Kind.OUT_OF_MEMORY, error, exit_code=1)


def test_the_traceback_of_another_process_is_not_logged_again(tmp_path):
    run = Run(tmp_path, *GOOD)
    names = "from clearminds.job.outcome import Kind, Outcome, RecordedFailure, State"
    recorded = "RecordedFailure('unexpected it', Outcome(State.FAILED, Kind.UNEXPECTED, 'it'))"
    waiting(run, tmp_path, f"{names}; raise {recorded}")
    assert only_error(run()) == "unexpected it"
    assert read_outcome(run.log) == Outcome(State.FAILED, Kind.UNEXPECTED, "unexpected it", exit_code=1)
    assert "Traceback" not in run.log.read_text(encoding="utf-8")


def test_what_main_returns_is_its_cost(tmp_path):
    run = Run(tmp_path, *GOOD)
    waiting(run, tmp_path, "return {'tokens': 7, 'peak_memory_bytes': 9}")
    assert run().returncode == 0
    cost = json.loads(run.log.with_suffix(".run.json").read_text(encoding="utf-8"))
    assert (cost["tokens"], cost["peak_memory_bytes"], cost["stage"]) == (7, 9, "prepare_task")

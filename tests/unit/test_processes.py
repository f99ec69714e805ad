"""What several processes of one training fail with together."""

import os
import signal
import subprocess
import sys

import pytest

from clearminds.checkout import WORKFLOW
from clearminds.errors import OutOfMemory
from clearminds.files.layout import rank_log, run_records
from clearminds.job.outcome import Kind, Outcome, State, outcome_of, write_outcome
from clearminds.job.processes import failure_of

STARTED = Outcome(State.STARTED)
STOPPED = Outcome(State.STOPPED, line="stopped by the user", exit_code=143)
GONE = Outcome(State.FAILED, Kind.UNEXPECTED, "unexpected RuntimeError: closed by peer", exit_code=1)
OURS = Outcome(State.FAILED, Kind.USER_ERROR, "no such layer", exit_code=1)


@pytest.mark.parametrize(
    ("outcomes", "codes", "expected"),
    [
        ([GONE, OURS], {0: 1}, "no such layer (process 1 of 2)"),
        ([GONE, STARTED], {1: -signal.SIGKILL, 0: 1}, "process 1 of 2 was killed, perhaps out of memory"),
        ([STOPPED, GONE], {1: 1}, "unexpected RuntimeError: closed by peer (process 1 of 2)"),
        ([STOPPED, STARTED], {1: -signal.SIGSEGV}, "one of 2 processes ended without saying why; see "),
        ([None, None], {0: 1, 1: 1}, "one of 2 processes ended without saying why; see "),
    ],
)
def test_the_process_that_failed_is_told_before_those_that_lost_it(tmp_path, outcomes, codes, expected):
    log = tmp_path / "seed0.log"
    for number, outcome in enumerate(outcomes):
        rank_log(log, number).write_text("ERROR clearminds: error: a log decides nothing\n")
        if outcome:
            write_outcome(rank_log(log, number), outcome)
    assert str(failure_of(log, 2, codes)).startswith(expected)


def test_a_process_that_is_out_of_memory_on_its_gpu_makes_a_retry_of_the_job_pointless(tmp_path):
    log = tmp_path / "seed0.log"
    write_outcome(rank_log(log, 0), GONE)
    error = OutOfMemory("out of memory on the GPU: lower it", on_gpu=True)
    write_outcome(rank_log(log, 1), outcome_of(error, log, "train_adapter", {}))
    failure = failure_of(log, 2, {0: 1, 1: 1})
    assert outcome_of(failure, log, "train_adapter", {}) == Outcome(
        State.FAILED, Kind.OUT_OF_MEMORY, "out of memory on the GPU: lower it (process 1 of 2)", True, 1
    )


def test_a_training_in_several_processes_is_one_job_among_the_records(tmp_path):
    for name in ("seed0.run.json", "seed0.rank0.run.json", "seed0.rank1.run.json", "rank1.run.json"):
        (tmp_path / name).touch()
    assert [path.name for path in run_records(tmp_path)] == ["rank1.run.json", "seed0.run.json"]


def test_one_whose_work_is_done_waits_for_no_thread_and_loses_no_line(tmp_path):
    code = """
import logging, sys, threading
from clearminds.job.processes import leave
threading.Thread(target=threading.Event().wait).start()
logging.basicConfig(filename=sys.argv[1], level="INFO")
logging.info("done")
print("written", end="")
leave()
"""
    command = [sys.executable, "-c", code, str(tmp_path / "log")]
    environment = {**os.environ, "PYTHONPATH": str(WORKFLOW)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stdout) == (0, "written")
    assert (tmp_path / "log").read_text().endswith("done\n")

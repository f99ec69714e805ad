"""Jobs that end with their workflow, answer signals, and never write one result side by side."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from never_back import CODE as NEVER_BACK

from clearminds.errors import UserError
from clearminds.job.guard import RUN, only_writer
from clearminds.run.one_run import LOCK, alive, take_lock

WORKFLOW = Path(__file__).parents[2] / "workflow"
START = f"import sys, time, os; sys.path.insert(0, {str(WORKFLOW)!r}); from clearminds.job import guard; "
HOLD = (
    START
    + "from pathlib import Path; guard.only_writer(Path(sys.argv[1]), 'r'); print('mine', flush=True); time.sleep(60)"
)
SLEEP = START + "guard.watch(); guard.stop_cleanly(); print('up', flush=True)\n"


def start(script, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def test_a_file_system_without_locks_stops_neither_a_run_nor_a_job_and_both_say_so(
    tmp_path, monkeypatch, caplog, capsys
):
    def none(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fcntl, "flock", none)
    assert not LOCK.exists() and take_lock() is None and LOCK.read_text() == str(os.getpid())
    assert alive() is None
    assert capsys.readouterr().err == (
        f"warning: {LOCK} cannot be locked (Function not implemented), so that no other run in {tmp_path} would be "
        "noticed: make sure that there is none (the last one was process unknown)\n"
    )
    LOCK.write_text("123")
    take_lock()
    assert "(the last one was process 123)" in capsys.readouterr().err
    take_lock()  # as a run does after `make resume`, in the same process
    assert capsys.readouterr().err == ""
    only_writer(tmp_path / "job", "results/a.parquet")
    assert "no guard against a second writer" in caplog.text


def test_a_run_is_seen_while_it_lives(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not alive() and not LOCK.exists()
    script = (
        f"import sys; sys.path.insert(0, {str(WORKFLOW)!r}); from clearminds.run.one_run import take_lock; "
        "take_lock(); print('mine', flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        run.stdout.readline()
        assert alive() and take_lock() == str(run.pid)
        run.kill()
        run.wait()
        assert not alive() and LOCK.exists()


def test_a_second_writer_refuses_and_names_the_first(tmp_path):
    with start(HOLD, str(tmp_path)) as first:
        assert first.stdout.readline() == "mine\n"
        with pytest.raises(
            UserError, match=rf"results/a.parquet: another job is writing it \(process {first.pid}, host"
        ):
            only_writer(tmp_path, "results/a.parquet", seconds=0.5)
        first.kill()


def test_a_second_writer_waits_for_one_that_is_stopping(tmp_path):
    with start(HOLD, str(tmp_path)) as first:
        first.stdout.readline()
        stop = "import os, signal, sys, time; time.sleep(1); os.kill(int(sys.argv[1]), signal.SIGKILL)"
        with subprocess.Popen([sys.executable, "-c", stop, str(first.pid)]):
            only_writer(tmp_path, "r", seconds=20)


@pytest.mark.slow
def test_what_ends_a_job_by_force_is_called_with_its_exit_code(tmp_path):
    record = tmp_path / "record"
    work = f"guard.before_forced_exit(lambda code: open({str(record)!r}, 'w').write(str(code)))\n{NEVER_BACK}"
    with start(SLEEP + work) as job:
        job.stdout.readline()
        time.sleep(1)  # until it is at work
        job.send_signal(signal.SIGINT)
        assert job.wait(30) == 130
    assert record.read_text() == "130"


@pytest.mark.slow
def test_a_job_that_is_ending_ignores_further_signals():
    with start(SLEEP + "guard.ignore_further_signals(); print('ending', flush=True); time.sleep(2)") as job:
        job.stdout.readline()
        job.stdout.readline()
        job.send_signal(signal.SIGTERM)
        job.send_signal(signal.SIGINT)
        assert job.wait(30) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "work",
    [
        "try:\n    time.sleep(60)\nexcept guard.Stopped:\n    sys.exit(143)",
        # deep in one computation, which does not come back to the interpreter
        NEVER_BACK,
    ],
)
def test_a_signal_ends_a_job_within_seconds(work):
    with start(SLEEP + work) as job:
        job.stdout.readline()
        time.sleep(1)  # until it is at work
        job.send_signal(signal.SIGTERM)
        assert job.wait(30) == 143


def test_a_job_ends_when_its_workflow_is_gone():
    workflow = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with start(SLEEP + "time.sleep(60)", **{RUN: str(workflow.pid)}) as job:
        job.stdout.readline()
        workflow.kill()
        workflow.wait()
        assert job.wait(20) != 0


@pytest.mark.slow
def test_a_job_run_by_hand_outlives_the_shell_that_started_it(tmp_path):
    done = tmp_path / "done"
    work = SLEEP + f"time.sleep(3); open({str(done)!r}, 'w').close()"
    environment = {key: value for key, value in os.environ.items() if key != RUN}
    subprocess.run(["bash", "-c", '"$0" -c "$1" > /dev/null &', sys.executable, work], env=environment, check=True)
    end = time.monotonic() + 20
    while not done.exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert done.exists()

"""What Ctrl-C does to a run before it begins, and a signal while it executes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

WORKFLOW = Path(__file__).parents[2] / "workflow"
BEGIN = f"import sys, time; sys.path.insert(0, {str(WORKFLOW)!r}); from clearminds.run import signals; "


def ended(script: str, number: int) -> tuple[int, str]:
    """Send a signal to a script once it has said that it waits. Returns its exit code and what it said."""
    command = [sys.executable, "-c", BEGIN + script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        said = run.stdout.readline()
        assert said == "waiting\n", said + run.stdout.read()
        os.kill(run.pid, number)
        said = run.stdout.read()
    return run.returncode, said


def test_before_a_run_begins_ctrl_c_ends_it_at_once_and_silently():
    # Polars puts a handler of its own before the one that it finds
    waits = "signals.end_at_once(); import polars; print('waiting', flush=True); time.sleep(60)"
    assert ended(waits, signal.SIGINT) == (130, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_is_stopped_by_an_interrupt_that_knows_the_signal(number):
    waits = """
signals.stop_cleanly()
try:
    print("waiting", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    sys.exit(128 + signals.stopped_by())
"""
    assert ended(waits, number) == (128 + number, "stopping: the jobs were told to end\n")


def test_an_interrupt_waits_for_the_end_of_a_line_of_the_log():
    # Snakemake's handler of its log drops what is raised while it writes
    waits = """
signals.stop_cleanly()
def emit():
    try:
        print("waiting", flush=True)
        time.sleep(.3)
    except KeyboardInterrupt:
        print("dropped", flush=True)
try:
    emit()
    time.sleep(60)
except KeyboardInterrupt:
    print("stopped")
"""
    assert ended(waits, signal.SIGINT) == (0, "stopping: the jobs were told to end\nstopped\n")


def test_an_interrupt_in_a_text_being_executed_leaves_the_exit_code_alone(tmp_path):
    (tmp_path / "run.py").write_text("""
import sys, time
from clearminds.run import signals
signals.stop_cleanly()
try:
    exec("print('waiting', flush=True); time.sleep(60)")
except KeyboardInterrupt:
    sys.exit(143)
""")
    command = [sys.executable, "-m", "run"]  # as Snakemake is; only so does Python look at what has passed
    path = {**os.environ, "PYTHONPATH": f"{WORKFLOW}:{tmp_path}"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=path) as run:
        assert run.stdout.readline() == "waiting\n"
        os.kill(run.pid, signal.SIGTERM)
    assert run.returncode == 143

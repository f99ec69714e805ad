"""What the terminal shows of events when something is wrong: with the terminal, the listener or a record."""

import errno
import io
import logging
from types import SimpleNamespace

import pytest
from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter, logger
from snakemake_interface_logger_plugins.common import LogEvent

from clearminds.run.terminal import terminal_compat as compat
from clearminds.run.terminal.printing import say

STARTS = {"event": LogEvent.JOB_FINISHED, "job_id": 1}
FAILS = {
    **{"event": LogEvent.JOB_ERROR, "jobid": 1, "log": ["a.log"], "rule_msg": "no memory", "rule_name": "a"},
    **{"input": [], "output": [], "conda_env": None, "shellcmd": None, "aux": {}, "indent": False},
}


class Panic(BaseException):
    """As polars' PanicException is: no Exception."""


class Listener:
    """Answers each event with its name; raises what it is given."""

    def __init__(self):
        self.error: BaseException | None = None
        self.heard: list[str] = []

    def answer(self, line: str) -> list[str]:
        self.heard.append(line)
        if self.error:
            raise self.error
        return [line]

    def ends(self, job: int) -> list[str]:
        return self.answer(f"{job} ends")

    def fails(self, job: int, cause: str | None, log: str | None) -> list[str]:
        return self.answer(f"{job} fails: {cause} {log}") if cause else []


class Stream(io.StringIO):
    """A terminal; where it has an error, one that cannot be written to."""

    error: OSError | None = None
    tried = 0

    def write(self, text: str) -> int:
        self.tried += 1
        if self.error:
            raise self.error
        return super().write(text)


@pytest.fixture
def run(monkeypatch):
    """Snakemake's logger with its own handler for the terminal, and a listener in place of its blocks."""
    stream, listener = Stream(), Listener()
    terminal = ColorizingTextHandler(nocolor=True, stream=stream, formatter=DefaultFormatter())
    terminal.name = compat.TERMINAL
    terminal.addFilter(DefaultFilter(None, False, False, False, False))
    monkeypatch.setattr(logger, "handlers", [terminal])
    before = logger.level
    logger.setLevel(logging.INFO)
    with compat.in_place_of_blocks(listener):
        yield SimpleNamespace(stream=stream, terminal=terminal, listener=listener)
    logger.setLevel(before)


def test_a_terminal_that_has_gone_or_a_full_disk_ends_no_run_and_is_not_written_to_again(run, capsys):
    for number in (errno.EIO, errno.ENOSPC, errno.EPIPE):
        run.stream.error = OSError(number, "gone")
        logger.info("Finished", extra=STARTS)
        tried = run.stream.tried
        logger.error("Error in rule a", extra=FAILS)
        logger.warning("a warning")
        logger.info("Finished", extra=STARTS)
        assert run.stream.tried == tried == 1
    assert run.listener.heard.count("1 ends") == 6  # who else listens is told of them nevertheless
    assert capsys.readouterr() == ("", "")


def test_where_the_listener_fails_at_a_failure_snakemake_says_it(run):
    run.listener.error = ValueError("odd")
    logger.error("Error in rule a", extra=FAILS)
    said = run.stream.getvalue()
    assert said.startswith("the run's own lines end here, Snakemake's follow (ValueError: odd)\n")
    assert "Error in rule a:" in said and "message: no memory" in said


def test_a_panic_of_a_library_ends_no_run_and_a_stop_does(run):
    run.listener.error = Panic("index out of bounds")
    logger.info("Finished jobid: 1", extra=STARTS)
    assert "(Panic: index out of bounds)\n" in run.stream.getvalue()
    logger.info("Finished jobid: 2", extra=STARTS)
    assert "Finished jobid: 2" in run.stream.getvalue() and run.listener.heard == ["1 ends"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_stop_is_no_error_of_the_listener(run, stop):
    run.listener.error = stop()
    with pytest.raises(stop):
        logger.info("Finished", extra=STARTS)
    run.listener.error = None
    logger.info("Finished", extra=STARTS)
    assert run.stream.getvalue() == "1 ends\n"


def test_a_record_whose_arguments_do_not_fit_is_shown(run):
    record = logger.makeRecord(logger.name, logging.INFO, "x.py", 1, "100% of %s and %d", ("a", "b"), None)
    assert logger.filter(record) and run.terminal.handle(record)  # pytest's handlers would raise
    logger.info("Finished", extra=STARTS)
    logger.error("Error in rule a", extra={"event": LogEvent.JOB_ERROR})  # without what such an event has
    assert run.stream.getvalue().startswith("100% of %s and %d\n1 ends\n")


def test_that_a_run_stops_after_its_running_jobs_is_shown_and_routine_is_not(run):
    logger.info("Select jobs to execute...")
    logger.info("Will exit after finishing currently running jobs (scheduler).")
    assert run.stream.getvalue() == "Will exit after finishing currently running jobs (scheduler).\n"


def test_the_log_file_is_snakemakes_own_and_not_a_plugins(monkeypatch, tmp_path):
    own, plugins = (logging.FileHandler(tmp_path / name, delay=True) for name in ("own.log", "plugin.log"))
    own.name = compat.LOG_FILE
    monkeypatch.setattr(logger, "handlers", [plugins, own])
    assert compat.log_file() == str(tmp_path / "own.log")
    monkeypatch.setattr(logger, "handlers", [plugins])
    assert compat.log_file() is None


@pytest.mark.parametrize("error", [OSError(errno.EIO, "gone"), None])
def test_a_line_beside_snakemakes_ends_no_run(monkeypatch, error):
    stream = Stream()
    stream.error = error
    monkeypatch.setattr("sys.stderr", stream)
    say("GPUs: 2")
    assert stream.tried and stream.getvalue() == ("" if error else "GPUs: 2\n")
    stream.close()
    say("GPUs: 2")

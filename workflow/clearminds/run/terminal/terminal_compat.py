"""What this project uses of how Snakemake speaks that it does not document: read from its code, 9.27.1.

- Its logger's handlers, known by their names, with `DefaultFilter` among their filters, and their `stream` or file.
- The fields of the JOB_INFO, JOB_FINISHED and JOB_ERROR events; that RUN_INFO comes once, after the jobs of a run are
  known; the text of a few lines that are no events.
- `Workflow.output_settings`, `.rundir`, `.is_local`, `.scheduler` with its `failed` jobs, and `.dag` with
  `needrun_jobs`, `jobid`, `get_job_group`, `bfs` and `depending`; `Job.is_norun`, `.wildcards_dict`, `.restart_times`,
  `.attempt`.

tests/unit/test_compat_terminal.py fails when one of them behaves otherwise.
"""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

TERMINAL, LOG_FILE = "DefaultStreamHandler", "DefaultLogFileHandler"
# what begins lines that say nothing to someone who waits for results
ROUTINE = (
    "Building DAG of jobs",
    "Using shell: ",
    "Conda environments: ignored",
    "Group jobs: inactive",
    "Select jobs to execute",
    "Removing output files of failed job",
    "Trying to restart job ",
)
# of snakemake-executor-plugin-slurm: the job's id, SLURM's, and the log's path
SUBMITTED = re.compile(r"Job (\d+) has been submitted with SLURM jobid (\S+) \(log: (.*)\)\.")


class Listener(Protocol):
    """What is told of a run's jobs, and answers with lines for the terminal. Jobs are known by their ids."""

    def begins(self) -> list[str]:
        """All jobs are known, and none has started."""

    def starts(self, job: int) -> list[str]:
        """A job starts, or is handed over; perhaps not for the first time."""

    def submitted(self, job: int, name: str, log: str) -> list[str]:
        """A cluster has taken a job. Args: its id; what it is called there; its log."""

    def ends(self, job: int) -> list[str]:
        """A job has made its results."""

    def fails(self, job: int, cause: str | None, log: str | None) -> list[str]:
        """A job has failed, for now or for good.

        Args:
            job: its id.
            cause: why, once it is known.
            log: its log, where there is a cause.
        """


@dataclass(frozen=True)
class KnownJob:
    """One job of a run: its id, rule, wildcards and log, and whether it runs on this machine."""

    id: int
    rule: str
    wildcards: dict[str, str]
    log: str
    here: bool


def jobs_to_run(workflow: "Workflow") -> list[KnownJob]:
    """The jobs of a run that has been planned, without those that only name targets."""
    dag = workflow.dag
    found = []
    for job in dag.needrun_jobs():
        if not job.is_norun:
            log, here = next(map(str, job.log), ""), workflow.is_local(job.rule)
            found.append(KnownJob(dag.jobid(job), job.rule.name, dict(job.wildcards_dict), log, here))
    return found


def failed_for_good(workflow: "Workflow") -> list[int]:
    """Ids of the jobs that have failed and are not tried again; no event tells of those whose results are missing."""
    groups = [job if job.is_group() else [job] for job in workflow.scheduler.failed]
    return [workflow.dag.jobid(job) for group in groups for job in group]


def is_tried_again(workflow: "Workflow", job: int) -> bool:
    """Whether a job has attempts left after the one that has just failed. Args: its id."""
    dag = workflow.dag
    found = next(one for one in dag.needrun_jobs() if dag.jobid(one) == job)
    whole = dag.get_job_group(found) or found
    return whole.restart_times > whole.attempt - 1


def jobs_behind(workflow: "Workflow", job: int) -> list[int]:
    """The jobs of a run that read what a job makes, and what these make. Args: its id."""
    dag = workflow.dag
    first = [one for one in dag.needrun_jobs() if dag.jobid(one) == job]
    return [dag.jobid(one) for one in dag.bfs(dag.depending, *first) if one not in first]


def speaks_itself(workflow: "Workflow") -> bool:
    """Whether Snakemake's own blocks are shown: the user asked for them, or there is nothing else, as in a dry-run."""
    settings = workflow.output_settings
    asked = settings.printshellcmds or settings.verbose or settings.debug_dag or settings.show_failed_logs
    return asked or settings.dryrun


def log_file() -> str | None:
    """The file in which Snakemake writes what it says; None: in none, or only as a plugin does."""
    return next((handler.baseFilename for handler in _handlers(LOG_FILE)), None)


def to_open(workflow: "Workflow", path: str) -> str:
    """A path by which the user finds a file: absolute where Snakemake was called from elsewhere."""
    return os.path.relpath(path) if Path(workflow.rundir) == Path.cwd() else os.path.abspath(path)


@contextmanager
def all_in_the_log_file() -> Iterator[None]:
    """A context in which Snakemake's log file has all that happens and all commands, whether they are shown or not."""
    from snakemake.logging import DefaultFilter

    filters = [one for handler in _handlers(LOG_FILE) for one in handler.filters if isinstance(one, DefaultFilter)]
    before = [(one.printshellcmds, one.quiet) for one in filters]
    for one in filters:
        one.printshellcmds, one.quiet = True, set()
    try:
        yield
    finally:
        for one, values in zip(filters, before, strict=True):
            one.printshellcmds, one.quiet = values


@contextmanager
def in_place_of_blocks(listener: Listener) -> Iterator[None]:
    """A context in which the terminal shows a listener's lines in place of Snakemake's about its jobs.

    Nothing else that Snakemake says is kept back, and its log file has all. Nothing is changed where another logger
    plugin writes to the terminal. A listener that raises is not asked again: from then on Snakemake speaks for itself.
    Where the terminal cannot be written to, nothing is any more, and the run goes on.
    """
    from snakemake.logging import logger

    terminals = _handlers(TERMINAL)
    if not terminals:
        yield
        return
    [terminal] = terminals
    events = _Events(listener, terminal)
    blocks = _HideBlocks(events)
    logger.addFilter(events)
    terminal.addFilter(blocks)
    try:
        yield
    finally:
        logger.removeFilter(events)
        terminal.removeFilter(blocks)


@contextmanager
def beside_blocks(listener: Listener) -> Iterator[None]:
    """A context in which the terminal shows a listener's lines and all of Snakemake's."""
    from snakemake.logging import logger

    all_events = [_Events(listener, terminal) for terminal in _handlers(TERMINAL)]
    for events in all_events:
        logger.addFilter(events)
    try:
        yield
    finally:
        for events in all_events:
            logger.removeFilter(events)


def _handlers(name: str) -> list[Any]:
    from snakemake.logging import logger

    return [handler for handler in logger.handlers if handler.name == name]


class _Events(logging.Filter):
    """Tells a listener of events, and writes what it says of them unless --quiet forbids it; keeps nothing back.

    Attributes:
        given_up: whether the listener has failed, so that Snakemake's own words are shown.
        unwritable: whether the terminal has gone, or the disk under it is full.
    """

    def __init__(self, listener: Listener, terminal: Any):
        super().__init__()
        self._listener, self._terminal = listener, terminal
        self._allowed = list(terminal.filters)
        self.given_up = self.unwritable = False

    def filter(self, record: logging.LogRecord) -> bool:
        self.tell(record)
        return True

    def tell(self, record: logging.LogRecord, cause: str | None = None) -> bool:
        """Pass an event on; raises nothing, as that would end the run.

        Args:
            record: the event.
            cause: of a failed job, why.

        Returns:
            whether the listener has answered.
        """
        if self.given_up:
            return False
        try:
            lines = self._lines(record, cause)
            if lines and all(one.filter(record) for one in self._allowed):
                self._write(lines)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # polars' PanicException is no Exception
            self.given_up = True
            with suppress(Exception):
                self._write([f"the run's own lines end here, Snakemake's follow ({type(error).__name__}: {error})"])
            return False
        return True

    def _write(self, lines: list[str]) -> None:
        if self.unwritable:
            return
        with self._terminal.lock:
            try:
                self._terminal.stream.write("".join(f"{line}\n" for line in lines))
                self._terminal.flush()
            except OSError:
                self.unwritable = True

    def _lines(self, record: logging.LogRecord, cause: str | None) -> list[str]:
        from snakemake_interface_logger_plugins.common import LogEvent

        event: Any = record  # an event of Snakemake's has more attributes than a record
        match getattr(record, "event", None):
            case LogEvent.RUN_INFO:
                return self._listener.begins()
            case LogEvent.JOB_INFO:
                return self._listener.starts(event.jobid)
            case LogEvent.JOB_FINISHED:
                return self._listener.ends(event.job_id)
            case LogEvent.JOB_ERROR:
                return self._listener.fails(event.jobid, cause, event.log[0] if cause else None)
            case None if found := SUBMITTED.match(_text(record)):
                number, job, log = found.groups()
                return self._listener.submitted(int(number), f"SLURM job {job}", log)
        return []


class _HideBlocks(logging.Filter):
    """Keeps back from the terminal what the listener's lines stand for."""

    def __init__(self, events: _Events):
        super().__init__()
        self._events = events

    def filter(self, record: logging.LogRecord) -> bool:
        if self._events.unwritable:
            return False  # its handler raises where a pipe is closed
        if self._events.given_up:
            return True
        try:
            return self._is_shown(record)
        except Exception:  # what nobody has foreseen is shown as it is
            return True

    def _is_shown(self, record: logging.LogRecord) -> bool:
        from snakemake_interface_logger_plugins.common import LogEvent

        event: Any = record
        kind = getattr(record, "event", None)
        if kind == LogEvent.JOB_ERROR and event.log and event.rule_msg:  # others have no better words than Snakemake's
            return not self._events.tell(record, event.rule_msg)
        if record.levelno > logging.INFO:
            return kind != LogEvent.GROUP_ERROR  # its jobs' errors follow
        if kind is None:
            said = _text(record)
            return not (said.startswith(ROUTINE) or SUBMITTED.match(said))
        return kind not in (
            LogEvent.WORKFLOW_STARTED,
            LogEvent.RESOURCES_INFO,
            LogEvent.RUN_INFO,
            LogEvent.JOB_STARTED,
            LogEvent.JOB_INFO,
            LogEvent.GROUP_INFO,
            LogEvent.SHELLCMD,
            LogEvent.JOB_FINISHED,
            LogEvent.PROGRESS,
        )


def _text(record: logging.LogRecord) -> str:
    return str(record.msg)  # as Snakemake's handlers print it; to fill in arguments that do not fit would raise

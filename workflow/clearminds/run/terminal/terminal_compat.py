"""What this project uses of how Snakemake speaks that it does not document: read from its code, 9.27.1.

- Its logger's handlers, known by their names, with `DefaultFilter` among their filters, and their `stream`.
- The fields of the JOB_INFO, JOB_FINISHED and JOB_ERROR events; that RUN_INFO comes once, after the jobs of a run are
  known; the text of a few lines that are no events.
- `Workflow.output_settings`, `.logger_manager`, `.is_local`, `.scheduler` with its `failed` jobs, and `.dag` with
  `needrun_jobs`, `jobid`, `bfs` and `depending`; `Job.is_norun`, `.wildcards_dict`.

tests/unit/test_compat_terminal.py fails when one of them behaves otherwise.
"""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
    "Will exit after finishing currently running jobs",
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

    def submitted(self, job: int, where: str) -> list[str]:
        """A job has been handed to a cluster. Args: its id; what it is called there, and its log."""

    def ends(self, job: int) -> list[str]:
        """A job has made its results."""

    def fails(self, job: int, cause: str | None) -> list[str]:
        """A job has failed, for now or for good. Args: its id; why, once it is known."""


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


def jobs_behind(workflow: "Workflow", job: int) -> list[int]:
    """The jobs of a run that read what a job makes, and what these make. Args: its id."""
    dag = workflow.dag
    first = [one for one in dag.needrun_jobs() if dag.jobid(one) == job]
    return [dag.jobid(one) for one in dag.bfs(dag.depending, *first) if one not in first]


def speaks_itself(workflow: "Workflow") -> bool:
    """Whether Snakemake's own blocks are shown: the user asked for them, or there is nothing else, as in a dry-run."""
    settings = workflow.output_settings
    return settings.printshellcmds or settings.verbose or settings.debug_dag or settings.dryrun


def log_file(workflow: "Workflow") -> str | None:
    """Where Snakemake writes what it says, from the working directory; None: nowhere."""
    return next((os.path.relpath(file) for file in workflow.logger_manager.get_logfile()), None)


@contextmanager
def commands_in_the_log_file() -> Iterator[None]:
    """A context in which commands are written to Snakemake's log file, whether they are shown or not."""
    from snakemake.logging import DefaultFilter

    filters = [one for handler in _handlers(LOG_FILE) for one in handler.filters if isinstance(one, DefaultFilter)]
    before = [one.printshellcmds for one in filters]
    for one in filters:
        one.printshellcmds = True
    try:
        yield
    finally:
        for one, value in zip(filters, before, strict=True):
            one.printshellcmds = value


@contextmanager
def in_place_of_blocks(listener: Listener) -> Iterator[None]:
    """A context in which the terminal shows a listener's lines in place of Snakemake's about its jobs.

    Nothing else that Snakemake says is kept back, and its log file has all. Nothing is changed where another logger
    plugin writes to the terminal. A listener that raises is not asked again: from then on Snakemake speaks for itself.
    """
    from snakemake.logging import logger

    terminals = _handlers(TERMINAL)
    if not terminals:
        yield
        return
    [terminal] = terminals
    heard = _Heard(listener, terminal)
    shown = _Shown(heard)
    logger.addFilter(heard)
    terminal.addFilter(shown)
    try:
        yield
    finally:
        logger.removeFilter(heard)
        terminal.removeFilter(shown)


@contextmanager
def beside_blocks(listener: Listener) -> Iterator[None]:
    """A context in which the terminal shows a listener's lines and all of Snakemake's."""
    from snakemake.logging import logger

    heard = [_Heard(listener, terminal) for terminal in _handlers(TERMINAL)]
    for one in heard:
        logger.addFilter(one)
    try:
        yield
    finally:
        for one in heard:
            logger.removeFilter(one)


def _handlers(name: str) -> list[Any]:
    from snakemake.logging import logger

    return [handler for handler in logger.handlers if handler.name == name]


class _Heard(logging.Filter):
    """Hears all that happens and writes what the listener says of it, unless --quiet forbids it; keeps nothing back."""

    def __init__(self, listener: Listener, terminal: Any):
        super().__init__()
        self._listener, self._terminal = listener, terminal
        self._allowed = list(terminal.filters)
        self.deaf = False

    def filter(self, record: logging.LogRecord) -> bool:
        if not self.deaf:
            self.tell(record)
        return True

    def tell(self, record: logging.LogRecord, cause: str | None = None) -> None:
        """Pass an event on. Args: the event; of a failed job, why."""
        try:
            lines = self._lines(record, cause)
        except Exception as error:  # what is only shown must end no run
            self.deaf = True
            lines = [f"the run's own lines end here, Snakemake's follow ({type(error).__name__}: {error})"]
        if lines and all(one.filter(record) for one in self._allowed):
            with self._terminal.lock:
                self._terminal.stream.write("".join(f"{line}\n" for line in lines))
                self._terminal.flush()

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
                return self._listener.fails(event.jobid, cause)
            case None if found := SUBMITTED.match(record.getMessage()):
                number, job, log = found.groups()
                return self._listener.submitted(int(number), f"SLURM job {job} (log: {os.path.relpath(log)})")
        return []


class _Shown(logging.Filter):
    """Keeps back from the terminal what the listener's lines stand for."""

    def __init__(self, heard: _Heard):
        super().__init__()
        self._heard = heard

    def filter(self, record: logging.LogRecord) -> bool:
        from snakemake_interface_logger_plugins.common import LogEvent

        if self._heard.deaf:
            return True
        event: Any = record
        kind = getattr(record, "event", None)
        if kind == LogEvent.JOB_ERROR and event.log and event.rule_msg:  # others have no better words than Snakemake's
            self._heard.tell(record, f"{event.rule_msg} (log: {event.log[0]})")
            return False
        if record.levelno > logging.INFO:
            return kind != LogEvent.GROUP_ERROR  # its jobs' errors follow
        if kind is None:
            said = record.getMessage()
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

"""What this project uses of Snakemake's end of a run that it does not document: read from its code, 9.27.1.

- `Workflow.scheduler` with its `failed` jobs, `Workflow.dag` with its `jobs` and `dependencies`, `Workflow.local_exec`,
  `.output_settings`, `.linemaps`: no hook is told which jobs failed, or what they were for.
- The fields of the JOB_ERROR and ERROR events of its logger, and the text of a few of its own lines.
- `LockException`, `MissingInputException`, `IncompleteFilesException`: what its execution raises.
- `print_exception`, `log_verbose_traceback`: how it says so.

tests/unit/test_compat_run_end.py fails when one of them behaves otherwise.
"""

import logging
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

JOBS_FAILED = "At least one job did not complete successfully."
EXIT_CODE = "\nCalledProcessError"  # begins what Snakemake says of a command's exit code
SEE_LOGS = "For further error details see the cluster/cloud log and the log files of the involved rule(s)."


def failed_jobs(workflow: "Workflow") -> list[str]:
    """The logs of the jobs that have failed in this run for good, after their retries, sorted."""
    scheduler = workflow.scheduler
    members = [
        member for job in (scheduler.failed if scheduler else ()) for member in (job if job.is_group() else [job])
    ]
    return sorted(str(log) for job in members for log in job.log)


def outputs(workflow: "Workflow") -> set[str]:
    """The files that a run was asked for, and those that these are made of: without what --until leaves out.

    Args:
        workflow: of a run that has begun its jobs.
    """
    dag = workflow.dag
    return {str(file) for job in (dag.jobs if dag else ()) for file in job.output}


def logs_before(workflow: "Workflow", outputs: Iterable[str]) -> dict[str, list[str]]:
    """The logs of all jobs that lead to a file, its own last and each after those it reads the results of.

    Args:
        workflow: of a run that knows its jobs.
        outputs: files; those that no job of this run makes have no logs.
    """
    dag = workflow.dag
    makers = {str(file): job for job in (dag.jobs if dag else ()) for file in job.output}

    def before(job: Any, seen: dict) -> dict:
        for other in sorted(dag.dependencies.get(job, ()), key=lambda other: [*map(str, other.output)]):
            if other not in seen:
                before(other, seen)
        seen[job] = None
        return seen

    jobs = {output: before(makers[output], {}) if output in makers else {} for output in outputs}
    return {output: [str(log) for job in found for log in job.log] for output, found in jobs.items()}


class FailureLines(logging.Filter):
    """What Snakemake says of a failed job: with its cause, and without what only repeats.

    Args:
        tell: a failed job's log, and what Snakemake knows of its end, to its cause; None: it has been said already.
        silent: whether nothing is to be said of failures any more.
    """

    def __init__(self, tell: Callable[[str, str], str | None], silent: Callable[[], bool]):
        super().__init__()
        self._tell, self._silent = tell, silent
        self.errors: list[str] = []  # what Snakemake has said of errors that are no job's exit code

    def filter(self, record: logging.LogRecord) -> bool:
        from snakemake_interface_logger_plugins.common import LogEvent

        event: Any = record  # an event of Snakemake's has more attributes than a record
        kind = getattr(record, "event", None)
        if kind not in (LogEvent.JOB_ERROR, LogEvent.GROUP_ERROR, LogEvent.ERROR):
            return True
        if self._silent():
            return False
        if kind == LogEvent.ERROR:
            if event.exception == "RuleException" and EXIT_CODE in record.getMessage():
                return False
            self.errors.append(record.getMessage())
        elif kind == LogEvent.JOB_ERROR and event.log:
            own, *others = map(str, event.log)  # others: the scheduler's
            words = [
                (event.rule_msg or "").replace(SEE_LOGS, "").strip(),
                f"(see {', '.join(others)})" if others else "",
            ]
            cause = self._tell(own, " ".join(filter(None, words)))
            if cause is None:
                return False
            event.rule_msg, event.shellcmd = cause, None  # the command is where the job started: in the log file
        return True


class Refusal(StrEnum):
    """What Snakemake refuses to begin with, where this project knows better what to do about it."""

    LOCKED = "locked"
    INCOMPLETE = "incomplete"
    MISSING_INPUT = "missing input"


def refusal(error: BaseException) -> Refusal | None:
    """Which of these an error is; None: another one."""
    from snakemake import exceptions

    known = {
        exceptions.LockException: Refusal.LOCKED,
        exceptions.IncompleteFilesException: Refusal.INCOMPLETE,
        exceptions.MissingInputException: Refusal.MISSING_INPUT,
    }
    return next((which for kind, which in known.items() if isinstance(error, kind)), None)


def only_says_that_jobs_failed(error: BaseException) -> bool:
    """Whether an error of Snakemake's says no more than that."""
    return str(error) == JOBS_FAILED


def note(error: BaseException) -> None:
    """Print an error's traceback where Snakemake was called with --verbose."""
    from snakemake.exceptions import log_verbose_traceback

    log_verbose_traceback(error)


def say(workflow: "Workflow", error: BaseException) -> None:
    """Print an error as Snakemake would."""
    from snakemake.exceptions import print_exception

    print_exception(error, workflow.linemaps)


def runs_jobs_here(workflow: "Workflow") -> bool:
    """Whether jobs run on this machine, and print to this terminal."""
    return workflow.local_exec


def shows_failed_logs(workflow: "Workflow") -> bool:
    """Whether the user asked for the whole logs of failed jobs, which Snakemake prints with its words about them."""
    return workflow.output_settings.show_failed_logs

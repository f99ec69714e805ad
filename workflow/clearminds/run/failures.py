"""Why the jobs of this run failed, by the records that they leave of how they ended, and the lines that say so."""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clearminds.files.layout import job_name
from clearminds.files.stamps import stamp
from clearminds.job.outcome import SUFFIX, Outcome, State, read_outcome, record_path

KILLED = "it was killed, perhaps out of memory"
NO_RECORD = "it ended before it could say why"
LOGS = 3  # of jobs with the same cause, that a line names
NOT_ACCEPTED = "done, but Snakemake did not accept its result: its message above says why"


@dataclass(frozen=True)
class Failure:
    """A job that failed.

    Attributes:
        job: its stage and name.
        cause: one line.
        log: its log file.
    """

    job: str
    cause: str
    log: str


class Failures:
    """Tells the failures of the run that begins now from those that earlier runs have recorded.

    Args:
        logs: the study's folder of logs.
    """

    def __init__(self, logs: Path):
        self.logs = logs
        self._before = {str(path): stamp(path) for path in logs.rglob(f"*{SUFFIX}")}
        self._heard: dict[str, str] = {}

    def heard(self, log: str, words: str) -> None:
        """Note what Snakemake, or the scheduler of a cluster, says of a job's end. Args: the job's log; a line."""
        self._heard[log] = words

    def outcome(self, log: str) -> Outcome | None:
        """The record of a job's end, if this run has written it. Args: the job's log."""
        path = record_path(Path(log))
        with suppress(OSError):
            os.listdir(path.parent)  # a network file system shows new files of other nodes in a folder that is opened
        return None if stamp(path) in (None, self._before.get(str(path))) else read_outcome(Path(log))

    def recorded(self, log: str) -> str | None:
        """The cause that a job of this run has recorded and said; None: it has not."""
        outcome = self.outcome(log)
        return outcome.line if outcome and outcome.state in (State.FAILED, State.STOPPED) else None

    def of(self, log: str) -> Failure:
        """The failure of a job that is known to have failed. Args: its log."""
        path = Path(log)
        stage = path.relative_to(self.logs).parts[0] if path.is_relative_to(self.logs) else ""
        # an unexpected error's line names the log, which stands beside it here
        cause = cause_of(self.outcome(log), self._heard.get(log, "")).removesuffix(f" (traceback in {log})")
        return Failure(f"{stage} {job_name(path, stage)}".strip(), cause, log)


def cause_of(outcome: Outcome | None, words: str) -> str:
    """Why a job failed, in one line.

    Args:
        outcome: the record of its last attempt in this run; None: it left none.
        words: a line of Snakemake's or of the scheduler's about its end, which may be such a cause itself; or empty.
    """
    if outcome is None:
        return words or NO_RECORD
    if outcome.state is State.STARTED:
        return words or KILLED
    if outcome.state in (State.DONE, State.TAKEN_BACK):
        return words or NOT_ACCEPTED
    line = outcome.line or ""
    if outcome.state is State.STOPPED and words:  # of a job that was told to stop, the scheduler knows why
        return words if words.startswith(line) else f"{line}; {words}"
    return line or KILLED


def failure_lines(failures: Iterable[Failure]) -> list[str]:
    """A line per cause with its first job, how many others have it, and its log; then how to go on."""
    causes: dict[str, list[Failure]] = {}
    for failure in failures:
        causes.setdefault(failure.cause, []).append(failure)
    lines = []
    for cause, (first, *others) in causes.items():
        more = f" and {len(others)} more" if others else ""
        logs = ", ".join(failure.log for failure in (first, *others[: LOGS - 1]))
        left = f", and {len(others) - LOGS + 1} more" if len(others) >= LOGS else ""
        lines.append(f"error: {first.job}{more}: {cause} (log: {logs}{left})")
    return [*lines, "fix this, then start the same command again: what is done stays done"]

"""How a job ends: one line for the user, and one small record beside its log, which others read in place of the log.

The record `{log}.outcome.json` is written when the job starts and again when it ends, so that a job that was killed is
known by a record that still says "started". The guard against pointless retries, the process that waits for several
processes of one training, and the report of a failed run read it.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from clearminds.errors import OutOfMemory, UserError
from clearminds.files.tables import write_json
from clearminds.job.guard import Stopped
from clearminds.job.library_errors import in_the_way, no_access, no_space, out_of_memory
from clearminds.reuse.job_memory import read_record

SUFFIX = ".outcome.json"
STOPPED_LINE = "stopped by the user or the scheduler; run again to go on"

# the keys of `runtime` that say how much a stage has in memory at a time
BUDGETS = {
    "generate_responses": ["generate_tokens"],
    "score_token_perplexity": ["batch_tokens"],
    "train_adapter": ["batch_tokens"],
    "evaluate_base": ["batch_rows", "batch_tokens"],
    "evaluate_adapter": ["batch_rows", "batch_tokens"],
}


class State(StrEnum):
    """What became of a job. A record that says `started` when no job runs is that of a job that was killed."""

    STARTED = "started"
    DONE = "done"
    TAKEN_BACK = "taken_back"
    FAILED = "failed"
    STOPPED = "stopped"


class Kind(StrEnum):
    """What sort of error ended a failed job; `unexpected` is any other, with a traceback in the log."""

    USER_ERROR = "user_error"
    OUT_OF_MEMORY = "out_of_memory"
    NO_SPACE = "no_space"
    NO_ACCESS = "no_access"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        state: what became of it.
        kind: of the error, where it failed.
        line: the error in one line, where it failed or was stopped.
        retry_is_pointless: whether the same job would fail in the same way again.
        exit_code: of its process; None while it runs.
        attempt: which one of its run this was, from 1.
    """

    state: State
    kind: Kind | None = None
    line: str | None = None
    retry_is_pointless: bool = False
    exit_code: int | None = None
    attempt: int = 1


class RecordedFailure(UserError):
    """The failure of another process, or of an earlier attempt, that this job fails with too.

    Args:
        message: one line.
        outcome: the recorded one.
    """

    def __init__(self, message: str, outcome: Outcome):
        super().__init__(message)
        self.outcome = outcome
        self.retry_is_pointless = outcome.retry_is_pointless


def outcome_of(error: BaseException, log: Path, stage: str, runtime: dict) -> Outcome:
    """The outcome of a job that an error ends. Args: the error; the job's log, its stage, and how it runs."""
    if isinstance(error, Stopped):
        return Outcome(State.STOPPED, line=STOPPED_LINE, exit_code=143)
    if isinstance(error, KeyboardInterrupt):
        return Outcome(State.STOPPED, line=STOPPED_LINE, exit_code=130)
    known = _as_user_error(error, stage, runtime)
    if isinstance(known, RecordedFailure):
        kind = known.outcome.kind
    elif isinstance(known, OutOfMemory):
        kind = Kind.OUT_OF_MEMORY
    elif known is not None:
        kind = Kind.NO_SPACE if no_space(error) else Kind.NO_ACCESS if no_access(error) else Kind.USER_ERROR
    else:
        line = f"unexpected {type(error).__name__}: {printable(error)[:300]} (traceback in {log})"
        return Outcome(State.FAILED, Kind.UNEXPECTED, line, exit_code=1)
    return Outcome(State.FAILED, kind, printable(known), known.retry_is_pointless, exit_code=1)


def _as_user_error(error: BaseException, stage: str, runtime: dict) -> UserError | None:
    """What a library raised, as an error of ours that says what to do; None for any other error."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, OSError) and (known := cannot_use(error)) is not None:
        return known
    if (where := out_of_memory(error)) is not None:
        lower = " or ".join(f"runtime.{key} (now {runtime.get(key)})" for key in BUDGETS.get(stage, []))
        fix = f"lower {lower}" if lower else "free some (on a cluster: raise mem_mb in the profile's set-resources)"
        which = "out of memory on the GPU" if where == "gpu" else "out of memory"
        return OutOfMemory(f"{which}: {fix} and run again; nothing done is redone", on_gpu=where == "gpu")
    return None


def cannot_use(error: OSError) -> UserError | None:
    """A file, folder or disk that cannot be used, as an error of ours that says what to do; None for any other."""
    place = error.filename or "the results"
    if no_space(error):
        return UserError(f"no space left on the disk of {place}: free some, then run again (nothing finished is lost)")
    if no_access(error):
        return UserError(f"no access to {place} ({error.strerror}); fix its permissions, then run again")
    if (file := in_the_way(error)) is not None:
        return UserError(f"{file} is a file, where a folder must be: move it away, then run again")
    return None


def printable(error: BaseException) -> str:
    """An error's message in one line, without control characters."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(str(error).split()))


# --- the record -------------------------------------------------------------------------------------------------------


def record_path(log: Path) -> Path:
    """Where the record of a job is. Args: its log."""
    return log.with_suffix(SUFFIX)


def log_path(record: Path) -> Path:
    """The log that a record is beside."""
    return record.with_name(record.name.removesuffix(SUFFIX) + ".log")


def write_outcome(log: Path, outcome: Outcome) -> None:
    """Write the record of a job beside its log. A full disk fails no job: then there is no record."""
    path = record_path(log)
    try:
        write_json(path, asdict(outcome))
    except OSError:
        with suppress(OSError):  # a full disk still has room for it in the place of the former one
            path.write_text(json.dumps(asdict(outcome)), encoding="utf-8")


def read_outcome(log: Path) -> Outcome | None:
    """The record beside a job's log; None where there is no readable one. Args: the log."""
    if (found := read_record(record_path(log))) is None:
        return None
    try:
        return Outcome(**{**found, "state": State(found["state"]), "kind": found["kind"] and Kind(found["kind"])})
    except (KeyError, TypeError, ValueError):
        return None


def begin(log: Path, attempt: int) -> None:
    """Record that a job has started.

    Args:
        log: the job's.
        attempt: which one this is of the run, from 1; more where Snakemake tries again.

    Raises:
        RecordedFailure: the attempt before failed in a way that this one would too.
    """
    before = read_outcome(log)
    if attempt > 1 and before and before.line and before.retry_is_pointless:
        raise RecordedFailure(before.line, before)
    write_outcome(log, Outcome(State.STARTED, attempt=attempt))


def record_forced_exit(log: Path, exit_code: int) -> None:
    """Record, for a job that did not answer a signal in time, that it was stopped, unless it has recorded its end."""
    before = read_outcome(log)
    if before and before.state is State.STARTED:
        write_outcome(log, replace(before, state=State.STOPPED, line=STOPPED_LINE, exit_code=exit_code))

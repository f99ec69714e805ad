"""How every launcher runs: arguments, lock, log, reuse, devices, its own work, and the record of how it ended.

A launcher is one function: its keyword arguments are the rule's inputs and outputs, and it returns what it measured.

    launch(main, Settings)    # main(job, *, examples: Path, scores: list[Path], masks: Output) -> dict | None

`python workflow/scripts/STAGE.py --help` lists the arguments; the command that Snakemake logs can be run by hand.
"""

import inspect
import logging
import os
import resource
import shlex
import sys
import time
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from clearminds.errors import UserError
from clearminds.files import stamps
from clearminds.files.layout import job_name, job_title, rank_log, run_record
from clearminds.files.tables import library_versions, write_json
from clearminds.job import guard, outcome, same_code
from clearminds.job.arguments import Arguments, Output, parse_arguments
from clearminds.job.devices import require_devices, take_devices
from clearminds.job.imports_compat import spare
from clearminds.job.linked_files import refuse_dangling
from clearminds.job.log import lifecycle, log, open_log, open_terminal
from clearminds.job.outcome import Kind, Outcome, State
from clearminds.job.processes import leave, rank
from clearminds.reuse import known_code
from clearminds.reuse.forced import is_forced
from clearminds.reuse.integrity import refuse_altered
from clearminds.reuse.job_memory import JobMemory, digests, made_by

__all__ = ["Job", "Output", "launch", "log"]

Main = Callable[..., dict | None]


S = TypeVar("S")
R = TypeVar("R")


@dataclass(frozen=True)
class Job(Generic[S, R]):
    """One run of a stage.

    Attributes:
        stage: the rule's name.
        settings: those that this stage reads; what the result depends on.
        runtime: how to run (batch_tokens, ...); no result depends on it.
        gpus: devices of the job.
        spec: the settings as JSON.
        code: fingerprint of the code that it runs.
        log: its log file.
    """

    stage: str
    settings: S
    runtime: R
    gpus: int
    spec: dict
    code: str
    log: Path

    def provenance(self, **facts: object) -> dict:
        """What a Parquet file says of its origin."""
        return {"stage": self.stage, "spec": self.spec, "code": self.code, **facts}

    def record(self, cost: dict) -> dict:
        """What the run cost, with versions, threads and devices. Args: what the stage measured (tokens, ...)."""
        return {
            "stage": self.stage,
            "versions": library_versions(),
            "threads": os.environ.get("OMP_NUM_THREADS"),
            "devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
            **cost,
        }


def launch(
    main: Main,
    settings: type,
    runtime: type | None = None,
    *,
    also_reads: Callable[[Any], list[Path]] = lambda settings: [],
    facts: Callable[[Any], Sequence[str]] = lambda settings: (),
    reuse: bool = True,
    unused: Collection[str] = (),
) -> None:
    """Parse the command line by `main`'s signature, run it as a job, and exit with a code that tells the outcome.

    Args:
        main: takes the job and, by keyword, its files; its results are annotated with `Output`. Returns what it
            measured (tokens, tokens_per_second, ...), kept beside the log.
        settings: the stage's class of what its result depends on.
        runtime: its class of what only tells how to run, where it reads any of that.
        also_reads: settings to the input files that are not among the arguments.
        facts: settings to what the result depends on of how its input tables came to be, as of `content_sha256`.
        reuse: whether a result whose settings, code and inputs are what they were may be taken back instead of made
            again; not where a stage reads what is not an input file, such as a hub.
        unused: optional packages that libraries would import, as of `imports_compat.spare`.
    """
    stage = Path(inspect.getfile(main)).stem
    given = parse_arguments(stage, main, settings, runtime)
    job, memory = _job(stage, given), _memory(stage, given)
    try:
        guard.stop_cleanly()  # only here, where what it raises is caught
        _begin(job, given, memory)
        same_code.refuse_changed(job.stage, job.spec, job.code, given.code)
        refuse_dangling(given.inputs)
        _remove_half_written(given.outputs)
        inputs = digests([*given.inputs, *also_reads(job.settings)])
        if rank() is None:  # of several processes the one that waits for them has checked
            refuse_altered(given.memory, inputs)
        parts = known_code.parts(stage, job.spec)
        origin = made_by(stage, job.spec, job.code, parts, inputs, facts(job.settings))
        forced = guard.RUN in os.environ and is_forced(stage, given.outputs)
        if memory and reuse and given.running.reuse and not forced and memory.take_back(origin):
            lifecycle.info("taken back: settings, code and inputs are what they were")
            _end(job, given, Outcome(State.TAKEN_BACK, exit_code=0))
            return
        cost = _work(main, job, given, unused)
    except BaseException as error:  # every way to fail ends in one line
        sys.exit(_fail(error, job, given))
    guard.ignore_further_signals()  # the result is there: what is left takes seconds and is worth recording
    if memory:
        try:
            memory.keep(origin, to_take_back=reuse)
        except OSError as error:  # the result is there and stays good
            memory.forget()  # of the result before: this one is believed without a record
            ended = outcome.outcome_of(error, job.log, stage, given.budgets)
            lifecycle.warning("what made this result is not recorded: %s", ended.line)
    try:
        write_json(run_record(job.log), job.record(cost))
    except OSError as error:
        ended = outcome.outcome_of(error, job.log, stage, given.budgets)
        lifecycle.warning("what this run cost is not recorded: %s", ended.line)
    lifecycle.info("done in %.0f s", cost["seconds"])
    _end(job, given, Outcome(State.DONE, exit_code=0))
    if rank() is not None:
        leave()


def _job(stage: str, given: Arguments) -> Job:
    number = rank()
    path = given.log if number is None else rank_log(given.log, number)
    if not number:
        open_terminal(job_title(given.log, stage), process=number)
    try:
        code = known_code.fingerprint(stage, given.spec)
    except (ValueError, SyntaxError) as error:  # an edit that is not finished
        sys.exit(f"error: the code of {stage} cannot be read: {error}; fix it, then start the workflow again")
    return Job(stage, given.settings, given.runtime, given.running.gpus, given.spec, code, path)


def _memory(stage: str, given: Arguments) -> JobMemory | None:
    """The job's memory; None for one of several processes, whose parent holds the lock and remembers."""
    if given.memory is None or rank() is not None:
        return None
    return JobMemory.of(given.memory, given.outputs, stage, job_name(given.log, stage))


def _begin(job: Job, given: Arguments, memory: JobMemory | None) -> None:
    """Become the only writer of the result, open the log, and record that the job has started.

    Raises:
        UserError: another job writes the result, the log cannot be written, or a retry would fail as before.
    """
    if memory:
        guard.only_writer(memory.folder, str(given.outputs[0]))
    open_log(job.log)  # only now: until then log and record are another writer's
    outcome.begin(job.log, given.running.attempt)  # before it is said, so that a kill from here on is known
    logging.getLogger().debug("command: %s", shlex.join([sys.executable, *sys.argv]))
    lifecycle.info("started")
    guard.before_forced_exit(partial(outcome.record_forced_exit, job.log))


def _remove_half_written(outputs: list[Path]) -> None:
    """Remove temporary files that killed runs of this job left; it is the only writer, so nothing needs them."""
    for output in outputs:
        for file in output.parent.glob(f".{output.name}.*.tmp"):
            file.unlink(missing_ok=True)


def _work(main: Main, job: Job, given: Arguments, unused: Collection[str]) -> dict:
    """Take devices, run `main`, and return what it measured with seconds and peak memory in bytes."""
    take_devices(job.gpus)  # before main, which imports torch; after what needs no device
    start = time.monotonic()
    require_devices(job.gpus)
    if job.gpus <= 1 or rank() is not None:  # else others compute
        spare(unused)
    if job.gpus:  # which it may have waited for, for hours
        same_code.refuse_edited(job.stage, job.spec, job.code)
    measured = main(job, **given.own) or {}
    try:
        stamps.refuse_changed()
        same_code.refuse_other_imports(job.stage, job.spec, job.code)
    except UserError:
        for output in given.outputs:  # made of something else than its record would say
            output.unlink(missing_ok=True)
        raise
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    # of several processes the memory is known already
    return {"peak_memory_bytes": peak, **measured, "seconds": round(time.monotonic() - start, 2)}


def _fail(error: BaseException, job: Job, given: Arguments) -> int:
    """Say and record how a job failed or was stopped. Returns its exit code."""
    guard.ignore_further_signals()
    ended = outcome.outcome_of(error, job.log, job.stage, given.budgets)
    if ended.kind is Kind.UNEXPECTED and not isinstance(error, UserError):  # else the traceback is in another log
        logging.getLogger().debug("%s", "".join(traceback.format_exception(error)))
    lifecycle.error("error: %s", ended.line)
    if not isinstance(error, guard.AnotherWriter):  # whose record it is
        _end(job, given, ended)
    return ended.exit_code or 1


def _end(job: Job, given: Arguments, ended: Outcome) -> None:
    outcome.write_outcome(job.log, replace(ended, attempt=given.running.attempt))

"""How every launcher runs: arguments, log, progress, one-line errors, and the record of what the run cost.

A launcher is one function whose keyword arguments are the rule's inputs and outputs:

    launch(main)        # main(job, *, examples: Path, masks: list[Path], ...)

`python workflow/scripts/STAGE.py --help` lists the arguments; the command that Snakemake logs can be run by hand.
"""

import argparse
import errno
import inspect
import json
import logging
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from clearminds import stages
from clearminds.errors import UserError
from clearminds.tables import library_versions, write_json

log = logging.getLogger("clearminds")


@dataclass
class Job:
    """One run of a stage.

    Attributes:
        stage: the rule's name.
        spec: the settings that this stage reads; what the result depends on.
        code: fingerprint of the modules that it runs.
        runtime: how to run (batch_tokens, ...); no result depends on it.
        cost: what the run measured (tokens, tokens_per_second, ...), kept beside the log.
    """

    stage: str
    spec: dict
    code: str
    runtime: dict
    log: Path
    cost: dict = field(default_factory=dict)

    def provenance(self, **facts: object) -> dict:
        """What a Parquet file says of its origin."""
        return {"stage": self.stage, "spec": self.spec, "code": self.code, **facts}

    def record(self) -> dict:
        """What the run cost: seconds, peak memory in bytes, versions, and what the stage measured."""
        return {
            "stage": self.stage,
            "versions": library_versions(),
            "threads": os.environ.get("OMP_NUM_THREADS"),
            **self.cost,
        }


def launch(main: Callable[..., None]) -> None:
    """Parse the command line by `main`'s signature, run it as a job, and exit with a code that tells the outcome."""
    stage = Path(inspect.getfile(main)).stem
    arguments = vars(_parser(stage, main).parse_args())
    spec, runtime = arguments.pop("spec"), arguments.pop("runtime")
    job = Job(stage, spec, stages.fingerprint(stage, spec), runtime, arguments.pop("log"))
    submitted = arguments.pop("code")
    _open_log(job)
    start = time.monotonic()
    try:
        log.info("started")
        if submitted and submitted != job.code:
            raise UserError(
                f"{stage}: the code changed after this job was submitted "
                f"(one of {', '.join(stages.modules(stage, spec))} "
                "or what they import); start the workflow again"
            )
        main(job, **arguments)
    except BaseException as error:  # every way to fail ends in one line; the traceback goes into the log file only
        logging.getLogger().debug("%s", traceback.format_exc())
        log.error("error: %s", _one_line(error, job))
        sys.exit(130 if isinstance(error, KeyboardInterrupt) else 1)
    job.cost["seconds"] = round(time.monotonic() - start, 2)
    job.cost["peak_memory_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    try:
        write_json(job.log.with_suffix(".run.json"), job.record())
    except OSError as error:  # the result is there and stays good
        log.warning("what this run cost is not recorded: %s", _one_line(error, job))
    log.info("done in %.0f s", job.cost["seconds"])


def _parser(stage: str, main: Callable[..., None]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"{stage}.py", description=sys.modules[main.__module__].__doc__)
    parser.add_argument("--spec", type=json.loads, required=True, help="settings that the result depends on, as JSON")
    parser.add_argument("--code", default="", help="fingerprint that the job was submitted with")
    parser.add_argument("--runtime", type=json.loads, default={}, help="how to run, as JSON; no result depends on it")
    parser.add_argument("--log", type=Path, required=True, help="log file")
    for name, parameter in list(inspect.signature(main).parameters.items())[1:]:
        many = parameter.annotation == list[Path]
        optional = parameter.default is not inspect.Parameter.empty
        parser.add_argument(
            "--" + name.replace("_", "-"),
            type=Path if many or parameter.annotation == Path else parameter.annotation,
            nargs="*" if many else None,
            required=not optional,
            default=parameter.default if optional else None,
        )
    return parser


def _open_log(job: Job) -> None:
    try:
        job.log.parent.mkdir(parents=True, exist_ok=True)
        to_file = logging.FileHandler(job.log, mode="w", encoding="utf-8")
    except OSError as error:
        print(
            f"error: cannot write the log {job.log} ({error.strerror}); free or mend that folder, then run again",
            file=sys.stderr,
        )
        sys.exit(1)
    logging.raiseExceptions = False  # a log on a full disk must not bury the error in tracebacks
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(to_file)
    logging.getLogger().setLevel(logging.DEBUG)
    for noisy in ("urllib3", "filelock", "fsspec", "matplotlib", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.INFO)
    to_terminal = logging.StreamHandler(sys.stderr)
    number = stages.STAGES.index(job.stage) + 1
    label = job.log.with_suffix("").as_posix().partition(f"/{job.stage}/")[2] or job.log.stem
    to_terminal.setFormatter(
        logging.Formatter(f"[stage {number}/{len(stages.STAGES)} {job.stage}] {label}: %(message)s")
    )
    log.addHandler(to_terminal)
    log.setLevel(logging.INFO)
    logging.captureWarnings(True)


def _one_line(error: BaseException, job: Job) -> str:
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(str(error).split()))
    if isinstance(error, UserError):
        return text
    if isinstance(error, KeyboardInterrupt):
        return "stopped by the user; run again to go on"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = error.filename or "the results"
        return f"no space left on the disk of {place}: free some, then run again (nothing finished is lost)"
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES):
        return (
            f"no access to {error.filename or 'the results'} ({error.strerror}); mend its permissions, then run again"
        )
    if "out of memory" in text.lower() or isinstance(error, MemoryError):
        now = job.runtime.get("batch_tokens")
        return f"out of memory: lower runtime.batch_tokens (now {now}) and run again; nothing done is redone"
    return f"unexpected {type(error).__name__}: {text[:300]} (traceback in {job.log})"

"""How every launcher runs: arguments, log, progress, one-line errors, and the record of what the run cost.

A launcher is one function whose keyword arguments are the rule's inputs and outputs:

    launch(main)        # main(job, *, examples: Path, scores: list[Path], masks: Output)

`python workflow/scripts/STAGE.py --help` lists the arguments; the command that Snakemake logs can be run by hand.
"""

import argparse
import inspect
import json
import logging
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NewType

from clearminds.errors import OUT_OF_GPU_MEMORY, UserError
from clearminds.files.layout import job_name, rank_log, run_record
from clearminds.files.tables import library_versions, write_json, write_text
from clearminds.job import guard
from clearminds.job.devices import require_devices
from clearminds.job.log import one_line, open_log, open_terminal
from clearminds.job.processes import rank
from clearminds.reuse import stage_code as stages
from clearminds.reuse.job_memory import JobMemory, made_by
from clearminds.reuse.run_code import changed_modules

log = logging.getLogger("clearminds")

HOPELESS = "hopeless"  # in a job's memory: the last words of an attempt that a retry would only repeat
Output = NewType("Output", Path)  # marks the arguments of a launcher that are its results


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
            "devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
            **self.cost,
        }


def launch(
    main: Callable[..., None], *, also_reads: Callable[[dict], list[Path]] = lambda spec: [], reuse: bool = True
) -> None:
    """Parse the command line by `main`'s signature, run it as a job, and exit with a code that tells the outcome.

    Args:
        main: takes the job and, by keyword, its files; its results are annotated with `Output`.
        also_reads: spec to the input files that are not among the arguments.
        reuse: whether a result whose settings, code and inputs are what they were may be taken back instead of made
            again; not where a stage reads what is no input file, such as a hub.
    """
    stage = Path(inspect.getfile(main)).stem
    arguments = vars(_parser(stage, main).parse_args())
    spec, runtime = arguments.pop("spec"), arguments.pop("runtime")
    job = Job(stage, spec, stages.fingerprint(stage, spec), runtime, arguments.pop("log"))
    submitted, memories = arguments.pop("code"), arguments.pop("memory")
    outputs, inputs = _files(main, arguments)
    name = job_name(job.log, stage)
    memory = JobMemory.of(memories, outputs, stage, name) if memories else None
    start = time.monotonic()
    guard.stop_cleanly()
    if (number := rank()) is not None:  # its parent, which Snakemake called, holds the locks and remembers
        job.log, memory = rank_log(job.log, number), None
    if not number:
        open_terminal(stage, name, process=number)
    try:
        if memory:
            guard.only_writer(memory.folder, str(outputs[0]))
        open_log(job.log)
        log.info("started")
        if memory:
            _not_hopeless(memory.folder / HOPELESS, runtime.get("attempt", 1))
        changed = changed_modules(stages.parts(stage, spec))
        # on a node the submitted fingerprint is that of Snakemake there, which has read the edited code too
        if (submitted and submitted != job.code) or (changed and guard.RUN in os.environ):
            modules = ", ".join(changed or stages.modules(stage, spec))
            raise UserError(f"the code of {modules} changed after this job was submitted; start the workflow again")
        _remove_half_written(outputs)
        origin = made_by(stage, spec, job.code, stages.parts(stage, spec), [*inputs, *also_reads(spec)])
        if memory and reuse and runtime.get("reuse", True) and memory.take_back(origin):
            log.info("taken back: settings, code and inputs are what they were")
            return
        require_devices(runtime.get("gpus", 0))
        main(job, **arguments)
    except BaseException as error:  # every way to fail ends in one line; the traceback of what nobody foresaw is logged
        guard.hear_no_more()
        said = one_line(error, job.log, stage, job.runtime)
        if said.startswith("unexpected") and not isinstance(error, UserError):
            logging.getLogger().debug("%s", traceback.format_exc())
        log.error("error: %s", said)
        if memory and said.startswith(OUT_OF_GPU_MEMORY):
            with suppress(OSError):
                write_text(memory.folder / HOPELESS, said)
        sys.exit(143 if isinstance(error, guard.Stopped) else 130 if isinstance(error, KeyboardInterrupt) else 1)
    job.cost["seconds"] = round(time.monotonic() - start, 2)
    # of several processes the memory is known already
    job.cost.setdefault("peak_memory_bytes", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    try:
        write_json(run_record(job.log), job.record())
        if memory:
            memory.keep(origin)
    except OSError as error:  # the result is there and stays good
        log.warning("what this run cost is not recorded: %s", one_line(error, job.log, stage, job.runtime))
    log.info("done in %.0f s", job.cost["seconds"])


def _files(main: Callable[..., None], arguments: dict) -> tuple[list[Path], list[Path]]:
    """Outputs and inputs among a launcher's arguments."""
    outputs, inputs = [], []
    for name, parameter in inspect.signature(main).parameters.items():
        if arguments.get(name) is None:
            continue
        if parameter.annotation == Output:
            outputs.append(arguments[name])
        elif parameter.annotation == Path:
            inputs.append(arguments[name])
        elif parameter.annotation == list[Path]:
            inputs += arguments[name]
    return outputs, inputs


def _not_hopeless(words: Path, attempt: int) -> None:
    """Refuse to try again what no retry mends. Args: the last words of the attempt before, if any; this one's number.

    Raises:
        UserError: with the same words.
    """
    if attempt > 1 and words.is_file():
        raise UserError(words.read_text(encoding="utf-8"))
    words.unlink(missing_ok=True)


def _remove_half_written(outputs: list[Path]) -> None:
    """Remove temporary files that killed runs of this job left; it is the only writer, so nobody needs them."""
    for output in outputs:
        for file in output.parent.glob(f".{output.name}.*.tmp"):
            file.unlink(missing_ok=True)


def _parser(stage: str, main: Callable[..., None]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"{stage}.py", description=sys.modules[main.__module__].__doc__)
    parser.add_argument("--spec", type=json.loads, required=True, help="settings that the result depends on, as JSON")
    parser.add_argument("--code", default="", help="fingerprint that the job was submitted with")
    parser.add_argument("--runtime", type=json.loads, default={}, help="how to run, as JSON; no result depends on it")
    parser.add_argument("--log", type=Path, required=True, help="log file")
    parser.add_argument(
        "--memory", type=Path, help="folder where jobs remember their runs; none: nothing is remembered"
    )
    for name, parameter in list(inspect.signature(main).parameters.items())[1:]:
        many = parameter.annotation == list[Path]
        optional = parameter.default is not inspect.Parameter.empty
        parser.add_argument(
            "--" + name.replace("_", "-"),
            type=Path if many or parameter.annotation in (Path, Output) else parameter.annotation,
            nargs="*" if many else None,
            required=not optional,
            default=parameter.default if optional else None,
        )
    return parser

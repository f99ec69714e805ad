"""Several processes for one training: its launcher starts itself once per GPU, by torchrun's library.

The launcher that Snakemake called holds the locks of the result and of the GPUs, and waits. Each process writes a log
of its own beside the job's; the first one writes the result and the terminal's lines.
"""

import json
import logging
import os
import signal
import sys
import uuid
from pathlib import Path

from clearminds.errors import UserError
from clearminds.files.layout import rank_log, run_record
from clearminds.job.outcome import Kind, RecordedFailure, State, read_outcome, record_path

# what Snakemake sets to a job's threads, and torch reads
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def rank() -> int | None:
    """Which of several processes this one is; None: it is none of several."""
    return int(os.environ["LOCAL_RANK"]) if "LOCAL_RANK" in os.environ else None


def leave() -> None:
    """End one of several processes whose work is done, at once.

    At the end of Python a thread that torch.distributed has left running would abort it, now and then.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


def run_in_processes(count: int, log: Path) -> dict:
    """Run this launcher's own command in several processes, which share its threads, and wait for them.

    Args:
        count: how many.
        log: the job's.

    Returns:
        what the run cost: threads, tokens and peak memory of all together, the rest as the first one has it.

    Raises:
        UserError: one of them failed; its own line, and whether a retry is pointless.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for number in range(count):
        for file in (rank_log(log, number), record_path(rank_log(log, number))):
            file.unlink(missing_ok=True)  # a former run's end is not this one's
    threads = {name: os.environ[name] for name in THREADS if os.environ.get(name, "").isdigit()}
    os.environ |= {name: str(max(1, int(number) // count)) for name, number in threads.items()}
    how = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",  # a free port, not the one of another training on this machine
        local_addr="localhost",  # a node's own name may not resolve on it
        run_id=uuid.uuid4().hex,
        max_restarts=0,  # a retry is Snakemake's
        logs_specs=DefaultLogsSpecs(log_dir=os.devnull),  # each process has its log
        signals_to_handle="SIGQUIT",  # to the others a launcher answers itself (guard.stop_cleanly)
    )
    try:
        elastic_launch(how, sys.executable)(*sys.argv)
    except ChildFailedError as error:
        codes = {number: failure.exitcode for number, failure in error.failures.items()}
        raise failure_of(log, count, codes) from error
    costs = [json.loads(run_record(rank_log(log, n)).read_text(encoding="utf-8")) for n in range(count)]
    # the rate stays that of one device, as in every record
    together = {name: sum(cost[name] for cost in costs) for name in ("tokens", "peak_memory_bytes")}
    return {**costs[0], **together, "threads": threads.get(THREADS[0])}


def failure_of(log: Path, count: int, codes: dict[int, int]) -> UserError:
    """What went wrong, rather than what a process says that has lost another.

    Args:
        log: the job's.
        count: how many processes there were.
        codes: exit codes by rank, of those that failed.
    """
    expected: list[RecordedFailure] = []
    unexpected: list[RecordedFailure] = []
    for number in range(count):
        outcome = read_outcome(rank_log(log, number))
        if outcome and outcome.state is State.FAILED:
            # one that has lost another fails too, with an unexpected error of torch's
            kind = unexpected if outcome.kind is Kind.UNEXPECTED else expected
            kind.append(RecordedFailure(f"{outcome.line} (process {number} of {count})", outcome))
    killed = [
        UserError(f"process {number} of {count} was killed, perhaps out of memory")
        for number, code in codes.items()
        if code == -signal.SIGKILL
    ]
    silent = UserError(f"one of {count} processes ended without saying why; see {rank_log(log, min(codes, default=0))}")
    return [*expected, *killed, *unexpected, silent][0]

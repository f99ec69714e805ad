"""Several processes for one training: its launcher starts itself once per GPU, by torchrun's library.

The launcher that Snakemake called holds the locks of the result and of the GPUs, and waits. Each process writes a log
of its own beside the job's; the first one writes the result and the terminal's lines.
"""

import json
import os
import signal
import sys
import uuid
from pathlib import Path

from clearminds.errors import UserError
from clearminds.files.layout import rank_log, run_record

# what Snakemake sets to a job's threads, and torch reads
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def rank() -> int | None:
    """Which of several processes this one is; None: it is none of several."""
    return int(os.environ["LOCAL_RANK"]) if "LOCAL_RANK" in os.environ else None


def run_in_processes(count: int, log: Path) -> dict:
    """Run this launcher's own command in several processes, which share its threads, and wait for them.

    Args:
        count: how many.
        log: the job's.

    Returns:
        what the run cost: threads, tokens and peak memory of all together, the rest as the first one has it.

    Raises:
        UserError: one of them failed; its own line.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for number in range(count):
        rank_log(log, number).unlink(missing_ok=True)  # a former run's last words are not this one's
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
        raise UserError(_last_words(log, count, codes)) from error
    costs = [json.loads(run_record(rank_log(log, n)).read_text(encoding="utf-8")) for n in range(count)]
    # the rate stays that of one device, as in every record
    together = {name: sum(cost[name] for cost in costs) for name in ("tokens", "peak_memory_bytes")}
    return {**costs[0], **together, "threads": threads.get(THREADS[0])}


def _last_words(log: Path, count: int, codes: dict[int, int]) -> str:
    """What went wrong, rather than what a process says that has lost another. Args: codes: exit codes by rank."""
    said = {number: words for number in range(count) if (words := _said(rank_log(log, number)))}
    ours, unforeseen = [], []
    for number, words in said.items():
        (unforeseen if words.startswith("unexpected") else ours).append(f"{words} (process {number} of {count})")
    killed = [number for number, code in codes.items() if code == -signal.SIGKILL]
    gone = [f"process {number} of {count} was killed, perhaps for want of memory" for number in killed]
    wordless = f"one of {count} processes ended without a word; see {rank_log(log, min(codes))}"
    return [*ours, *gone, *unforeseen, wordless][0]


def _said(path: Path) -> str:
    """The error at the end of a log; nothing where another's end was this one's."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    said = text.rpartition(" ERROR clearminds: error: ")[2].strip() if " ERROR clearminds: error: " in text else ""
    return "" if said.startswith("stopped by") else said

"""Several processes for one training: its launcher starts itself once per GPU, under torchrun.

The launcher that Snakemake called holds the locks of the result and of the GPUs, and waits. Each process writes a log
of its own beside the job's, `{name}.rank{n}.log`; the first one writes the result and the terminal's lines.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from clearminds.errors import UserError


def rank() -> int | None:
    """Which of several processes this one is; None: it is none of several."""
    return int(os.environ["LOCAL_RANK"]) if "LOCAL_RANK" in os.environ else None


def log_of(log: Path, number: int) -> Path:
    """The log of one process. Args: the job's log; the process's rank."""
    return log.with_suffix(f".rank{number}.log")


def run_in_processes(count: int, log: Path) -> dict:
    """Run this launcher's own command in several processes and wait for them.

    Args:
        count: how many.
        log: the job's.

    Returns:
        what the first one's run cost.

    Raises:
        UserError: one of them failed; its own line.
    """
    for number in range(count):
        log_of(log, number).unlink(missing_ok=True)  # a former run's last words are not this one's
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    command += ["--", *sys.argv]  # torchrun would take our options for its own
    # torchrun's own lines would bury the one that tells what happened; each process has its log
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL) as agent:
        try:
            code = agent.wait()
        except BaseException:
            agent.terminate()
            agent.wait()
            raise
    if code:
        raise UserError(_last_words(log, count))
    return json.loads(log_of(log, 0).with_suffix(".run.json").read_text(encoding="utf-8"))


def _last_words(log: Path, count: int) -> str:
    for number in range(count):
        path = log_of(log, number)
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        said = text.rpartition(" ERROR clearminds: error: ")[2].strip() if " ERROR clearminds: error: " in text else ""
        # torchrun stops the others when one fails, and they say no more than that
        if said and not said.startswith("stopped by"):
            return f"{said} (process {number} of {count})"
    return f"one of {count} processes ended without a word, perhaps killed for want of memory; see {log_of(log, 0)}"

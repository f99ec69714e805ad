"""The throw-away cluster of `cluster.sh`, and what its scheduler knows of every job."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

SCRIPT = Path(__file__).with_name("cluster.sh")
os.environ["PATH"] += ":/usr/sbin:/sbin"  # where Debian keeps daemons, and not every user looks


def why_not() -> str | None:
    """Why no cluster can be started here; None where it can. Installs SLURM where that is allowed and missing."""
    if os.environ.get("CLEARMINDS_SLURM") != "1":
        return "needs root and several minutes: make test-slurm"
    if os.geteuid() != 0:
        return "SLURM's daemons need root"
    if shutil.which("slurmctld") and shutil.which("munged"):
        return None
    if not shutil.which("apt-get"):
        return "SLURM is not installed, and this is not a Debian to install it from"
    done = subprocess.run([SCRIPT, "install"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return f"SLURM could not be installed: {done.stdout[-300:]}" if done.returncode else None


def cluster(*arguments: str) -> str:
    """Call `cluster.sh`. Returns what it said."""
    done = subprocess.run([SCRIPT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"cluster.sh {' '.join(arguments)}: {done.stdout[-2000:]}")
    return done.stdout


@dataclass(frozen=True)
class Record:
    """A job as the scheduler has it.

    Attributes:
        id: its number.
        run: the name that all jobs of one run of Snakemake share.
        job: rule_NAME_wildcards_VALUES.
        state: PENDING, RUNNING, COMPLETED, FAILED, CANCELLED, TIMEOUT, NODE_FAIL, ...
        cpus, memory, gpus, minutes, partition, account: what was asked for, memory in MB.
        start, end: when it ran; the end is the one that is due while it runs.
        output: the file that SLURM writes its output to.
    """

    id: str
    run: str
    job: str
    state: str
    cpus: int
    memory: int
    gpus: int
    minutes: int
    partition: str
    account: str
    start: datetime | None
    end: datetime | None
    output: Path


def records(run: str | None = None) -> list[Record]:
    """Every job that the scheduler remembers, or those of one run, the first one first."""
    done = subprocess.run(["scontrol", "show", "job", "-o"], capture_output=True, text=True, check=True)
    found = [_record(line) for line in done.stdout.splitlines() if line.startswith("JobId=")]
    return sorted((record for record in found if run in (None, record.run)), key=lambda record: int(record.id))


def wait_for(condition: Callable[[], object], seconds: float, what: str):
    """Wait until a condition is truthy, and return its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.2)
    jobs = ", ".join(f"{record.id} {record.job} {record.state}" for record in records()[-8:])
    raise AssertionError(f"no {what} after {seconds} s; the last jobs: {jobs}")


def _record(line: str) -> Record:
    facts = dict(re.findall(r"(\S+?)=(\S*)", line))
    hours, minutes, seconds = (int(part) for part in facts["TimeLimit"].split(":"))
    gpus = re.search(r"gpu(?::[a-z]\w*)?:(\d+)", facts.get("TresPerJob", facts.get("TresPerNode", "")))
    return Record(
        id=facts["JobId"],
        run=facts["JobName"],
        job=facts["Comment"],
        state=facts["JobState"],
        cpus=int(facts["CPUs/Task"]),
        memory=int(facts["MinMemoryNode"].removesuffix("M")),
        gpus=int(gpus[1]) if gpus else 0,
        minutes=hours * 60 + minutes + (seconds > 0),
        partition=facts["Partition"],
        account=facts["Account"].replace("(null)", ""),
        start=_time(facts["StartTime"]),
        end=_time(facts["EndTime"]),
        output=Path(facts["StdOut"]),
    )


def _time(text: str) -> datetime | None:
    return None if text == "Unknown" else datetime.fromisoformat(text)

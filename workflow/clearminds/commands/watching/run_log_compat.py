"""What Snakemake's own log file says of a run's jobs, read while the run goes on; its format is not documented."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

LOGS = Path(".snakemake/log")
LOCKS = Path(".snakemake/locks")  # holds files while a run goes on, and after one that was killed

BLOCK = re.compile(r"(?P<failed>Error in rule \w+:)|(local)?rule \w+:")
ITEM = re.compile(r"    (?P<key>log|jobid|message): (?P<value>.+?)( \(check log file\(s\) for error details\))?")
FINISHED = re.compile(r"Finished jobid: (?P<jobid>\d+)\b.*")
NOTHING = "None"  # for a message, where there is none
ON_CLUSTER = "SLURM run ID: "
STATS, ROW = "Job stats:", re.compile(r"(?P<rule>\w+) +(?P<count>\d+)")


class Event(StrEnum):
    """What Snakemake tells of a job."""

    SUBMITTED = "submitted"
    FAILED = "failed"
    FINISHED = "finished"


@dataclass
class Told:
    """What Snakemake has told of a job.

    Attributes:
        last: what it told last.
        attempts: how often it has started the job, or handed it over.
        words: why the job failed last; empty where it said nothing of that.
    """

    last: Event
    attempts: int = 0
    words: str = ""


class RunLog:
    """The log file of one run, read on from where it was read to.

    Attributes:
        planned: how many jobs of each rule the run began with; empty before it says so.
        jobs: what was told of each job, by the path of its log.
        on_cluster: whether its jobs run on a cluster's nodes, where they outlive it.
    """

    def __init__(self, path: Path):
        self.path = path
        self.planned: dict[str, int] = {}
        self.jobs: dict[str, Told] = {}
        self.on_cluster = False
        self._logs: dict[str, str] = {}  # jobid to log
        self._position, self._part = 0, b""
        self._in_stats = False
        self._block: Event | None = None
        self._said: dict[str, str] = {}  # items of the block

    def read(self) -> None:
        """Read what has been written since; nothing where the file cannot be read."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self._position)
                new = file.read()
        except OSError:
            return
        self._position += len(new)
        *lines, self._part = (self._part + new).split(b"\n")
        for line in lines:
            self._take(line.decode(errors="replace"))

    def _take(self, line: str) -> None:
        if self._block and not line.startswith("    "):
            self._block, self._said = None, {}
        if self._in_stats:
            if (row := ROW.fullmatch(line.rstrip())) and row["rule"] != "total":
                self.planned[row["rule"]] = int(row["count"])
            self._in_stats = bool(line.strip())
        elif line == STATS:
            self._in_stats, self.planned = True, {}
        elif block := BLOCK.fullmatch(line):
            self._block = Event.FAILED if block["failed"] else Event.SUBMITTED
        elif self._block and (item := ITEM.fullmatch(line)):
            self._said[item["key"]] = item["value"]
            self._note(item["key"])
        elif line.startswith(ON_CLUSTER):
            self.on_cluster = True
        elif (end := FINISHED.fullmatch(line)) and end["jobid"] in self._logs:
            self.jobs[self._logs[end["jobid"]]].last = Event.FINISHED

    def _note(self, key: str) -> None:
        if "log" not in self._said or self._block is None:
            return
        log = self._said["log"].split(", ")[0]  # the scheduler's own follow it
        if "jobid" in self._said:
            self._logs[self._said["jobid"]] = log
        if key == "log":
            told = self.jobs.setdefault(log, Told(self._block))
            told.last = self._block
            told.attempts += self._block is Event.SUBMITTED
            words = self._said.get("message", NOTHING)
            told.words = "" if words == NOTHING else words


def run_log(since: int) -> RunLog | None:
    """The log file of the run that began at a time; None: it has not said yet what it will do.

    Args:
        since: nanoseconds, by the clock of the file system, whose times are compared.
    """
    for path in sorted(LOGS.glob("*.snakemake.log")):
        try:
            if path.stat().st_mtime_ns < since:
                continue
        except OSError:
            continue
        log = RunLog(path)
        log.read()
        if log.planned:  # else of a command that ran nothing, such as one that was refused beside the run
            return log
    return None


def is_locked() -> bool:
    """Whether Snakemake's own lock is in this folder, which outlives a kill."""
    try:
        return any(LOCKS.iterdir())
    except OSError:  # none is there, or a run that ends is removing them
        return False

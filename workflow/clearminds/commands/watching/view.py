"""A snapshot of a run in plain lines."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

from tabulate import tabulate

from clearminds.commands.watching.snapshot import JobState, RunState, Seen, Snapshot
from clearminds.run.failures import failure_lines

MOST = 20  # jobs of one state that are named
COLUMNS = (JobState.DONE, JobState.RUNNING, JobState.WAITING, JobState.FAILED, JobState.STOPPED, JobState.KILLED)
LEFT = (JobState.RUNNING, JobState.WAITING)
ALWAYS = 2  # of the columns are shown though they be empty


def lines(seen: Snapshot) -> list[str]:
    """What to show of a run: how it stands, each stage's counts, why jobs failed, and the jobs that run."""
    shown = standing(seen)
    if counts := table(seen):
        shown += ["", *counts]
    if failed := seen.of(JobState.FAILED):
        *causes, _ = failure_lines(job.failure for job in failed)
        shown += ["", *map(printable, causes[:MOST]), *more(len(causes), "causes")]
    if cut := seen.of(JobState.KILLED):
        shown += ["", *(f"{job.failure.job}: {job.cause} (log: {job.log})" for job in cut[:MOST])]
        shown += more(len(cut), "killed")
    if running := seen.of(JobState.RUNNING):
        shown.append("")
        for job in running[:MOST]:
            time = duration(job.changed or 0)
            goes = f"for {time}" if seen.run is RunState.ALIVE else f"last seen running, begun {time} ago"
            shown.append(f"{job.failure.job}, {goes}{attempt(job)}")
            if job.said:
                shown.append(f"    {printable(job.said.text)} ({ago(job.said.ago)})")
        shown += more(len(running), "running")
    if again := [job for job in seen.of(JobState.WAITING) if job.attempt > 1]:
        shown += ["", *(f"{job.failure.job}: waits{attempt(job)}" for job in again[:MOST])]
        shown += more(len(again), "that wait for another attempt")
    return shown


def standing(seen: Snapshot) -> list[str]:
    """How the run stands, then whose it is or what to do; in lines that are short enough for most terminals."""
    here, done = Path.cwd(), len(seen.of(JobState.DONE))
    if seen.run is RunState.NONE:
        if seen.study and not seen.jobs:
            return [f"{seen.study}: no job of it has been started in {here}"]
        if seen.study:
            return [f"{seen.study}: not what was run last, so these are of several runs", f"in {here}"]
        return [f"no run has been started in {here}"]
    what, process = seen.study or "the run", f"process {seen.process or 'unknown'}"
    count = f"{done} of {sum(seen.planned.values())} jobs done" if seen.planned else f"{done} jobs done so far"
    if seen.run is RunState.BEGINS:
        return ["a run begins", f"{process} in {here}"]
    if seen.run is RunState.ALIVE:
        stands = count if seen.planned or seen.jobs else "it has not planned its jobs yet"
        return [f"{what}: running for {duration(seen.begun)}, {stands}", f"{process} in {here}"]
    if seen.run is RunState.UNKNOWN:
        return [
            f"{what}: {count}; whether it is running cannot be told here",
            f"{process} in {here}, whose file system has no locks",
        ]
    if not seen.planned and not seen.jobs:
        return [f"{what}: has ended, and started no job", f"in {here}"]
    if seen.run in (RunState.FINISHED, RunState.ENDED):  # nothing tells whether the latter has more to do
        return [f"{what}: {seen.run}, {count}", f"in {here}"]
    if seen.run is not RunState.KILLED:
        return [f"{what}: {seen.run}, {count}; the same command goes on", f"in {here}"]
    left = ["its jobs may still be with the scheduler (`squeue --me`)"] if seen.of(*LEFT) else []
    return [
        f"{what}: killed, {count}; `make resume` goes on, given its STUDY= and PROFILE=",
        *left,
        f"{process} is gone, as far as this machine can see, in {here}",  # a lock on another one may not be seen here
    ]


def table(seen: Snapshot) -> list[str]:
    """A line per stage that the run has jobs of, and their sum; empty where there are none."""
    counts = Counter((job.stage, job.state) for job in seen.jobs)
    names = list(dict.fromkeys([*seen.planned, *(job.stage for job in seen.jobs)]))
    states = [state for n, state in enumerate(COLUMNS) if n < ALWAYS or seen.of(state)]
    rows = [[name, *(counts[name, state] for state in states), seen.planned.get(name)] for name in names]
    if not rows:
        return []
    rows.append(["together", *map(sum, zip(*(row[1:-1] for row in rows), strict=True)), sum(seen.planned.values())])
    heads = ["stage", *states, "of all"]
    if not seen.planned:
        rows, heads = [row[:-1] for row in rows], heads[:-1]
    shown = [[cell or "-" for cell in row] for row in rows]
    aligned = ("left", *("right",) * (len(heads) - 1))
    return tabulate(shown, heads, colalign=aligned, disable_numparse=True).splitlines()


def more(count: int, what: str) -> list[str]:
    """A line about those that are not named."""
    return [f"and {count - MOST} more {what}"] if count > MOST else []


def attempt(job: Seen) -> str:
    """Which attempt of a job's this is, behind a comma; empty for the first one."""
    return f", attempt {job.attempt}" if job.attempt > 1 else ""


def duration(seconds: float) -> str:
    """Hours, minutes and seconds."""
    return str(timedelta(seconds=round(seconds)))


def ago(seconds: float) -> str:
    """How long ago, in words."""
    return f"{seconds:.0f} s ago" if seconds < 120 else f"{duration(seconds)} ago"


def printable(line: str) -> str:
    """A line without control characters, which a library's message may have."""
    return "".join(c if c.isprintable() else " " for c in line)

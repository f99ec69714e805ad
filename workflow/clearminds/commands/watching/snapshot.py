"""What the last run in this folder is doing, by what it and its jobs leave on disk; nothing is written.

A job's record says what became of it, on this machine or on a cluster's node. Whether the run is alive is told by its
lock, which the kernel frees; so a record that says "started" is of a job that runs, or that was killed with its run.
Snakemake's log file adds how many jobs there are, which of them wait, and which a scheduler has killed.
"""

import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from clearminds.commands.watching.run_log_compat import Event, RunLog, Told, is_locked, run_log
from clearminds.commands.watching.said import Said, last_said
from clearminds.files.digests import digest
from clearminds.files.layout import Layout, is_of_a_process, job_name
from clearminds.job.outcome import SUFFIX, Outcome, State, log_path, read_outcome
from clearminds.reuse import stage_code as stages
from clearminds.reuse.job_memory import read_record
from clearminds.run.failures import Failure, cause_of
from clearminds.run.one_run import LOCK, STUDY, alive

SHARDS = {"generate_shard": "generate_responses", "score_shard": "score_token_perplexity"}  # rule to stage


class JobState(StrEnum):
    """What a job of the run is doing; `waiting` is in a queue or starting, `killed` was cut off with its run."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    KILLED = "killed"


class RunState(StrEnum):
    """What became of the last run of a study in a folder.

    `begins` is before it says of which study it is, `unknown` where there are no locks, `ended` where no plan is known.
    """

    NONE = "none"
    BEGINS = "begins"
    ALIVE = "alive"
    UNKNOWN = "unknown"
    ENDED = "ended"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    KILLED = "killed"


@dataclass(frozen=True)
class Seen:
    """A job of the run.

    Attributes:
        stage: its stage.
        name: what tells it from the stage's other jobs.
        log: the path of its log below the working directory.
        state: what it is doing.
        changed: seconds since it began, or ended; None where it has no record yet.
        said: its last line, while it runs.
        cause: one line, where it failed, was stopped or killed.
        attempt: more than 1 where Snakemake has tried it again.
    """

    stage: str
    name: str
    log: str
    state: JobState
    changed: float | None = None
    said: Said | None = None
    cause: str = ""
    attempt: int = 1

    @property
    def failure(self) -> Failure:
        """The job as one that failed."""
        return Failure(f"{self.stage} {self.name}", self.cause.removesuffix(f" (traceback in {self.log})"), self.log)


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment.

    Attributes:
        run: what became of it.
        study: its id; empty where no job has been started yet. Of one that was not run last all jobs are here.
        process: the run's.
        begun: seconds since it began.
        jobs: those that have been started or wait, by stage and name.
        planned: how many jobs each stage has in this run; empty where it has not been said.
    """

    run: RunState
    study: str = ""
    process: str = ""
    begun: float = 0
    jobs: list[Seen] = field(default_factory=list)
    planned: dict[str, int] = field(default_factory=dict)

    def of(self, *states: JobState) -> list[Seen]:
        """The jobs that are in one of these states."""
        return [job for job in self.jobs if job.state in states]


class Watched:
    """The runs in this folder, looked at again and again: what has not changed is not read again.

    Args:
        study: whose records to show; by default that of the last run.
    """

    def __init__(self, study: str = ""):
        self._asked = study
        self._begin = 0  # of the run that the log is of
        self._log: RunLog | None = None
        self._records: dict[Path, tuple[int, Outcome | None]] = {}
        self._dead = 0  # time of the lock's file when it was last found free

    def look(self) -> Snapshot:
        """What is to be seen now.

        Raises:
            OSError: the run's files cannot be read.
        """
        going, locked, begin = self._is_alive(), _written(LOCK), _written(STUDY)
        if going and locked > begin:  # else the jobs of the run before would be taken for those of this one
            return Snapshot(RunState.BEGINS, process=self._process())
        if not begin:
            return Snapshot(RunState.NONE)
        log = self._run_log(begin)
        last = self._study_of_run(log)
        study = self._asked or last
        if study != last:  # nothing tells which of its records are of one run
            return Snapshot(RunState.NONE, study, jobs=self._jobs(study, 0, False, {}))
        jobs_go_on = going is not False or (log is not None and log.on_cluster and is_locked())
        jobs = self._jobs(study, begin, jobs_go_on, log.jobs if log else {}) if study else []
        planned = _by_stage(log.planned if log else {})
        state = RunState.ALIVE if going else _end(jobs, sum(planned.values()))
        if going is None and state is not RunState.FINISHED:
            state = RunState.UNKNOWN
        return Snapshot(state, study, self._process(), max(0.0, time.time() - begin / 1e9), jobs, planned)

    def _study_of_run(self, log: RunLog | None) -> str:
        """The id of the last run's study; empty: no job of it has been started yet. Args: the run's log."""
        known = (read_record(STUDY) or {}).get("study")
        logs = Path(Layout.of("-").logs).parent
        names = {entry.name for entry in logs.iterdir() if entry.is_dir()} if logs.is_dir() else set()
        told = map(Path, log.jobs if log else ())
        names |= {path.relative_to(logs).parts[0] for path in told if logs in path.parents}
        return next((name for name in names | {self._asked} if name and digest(name) == known), "")

    def _is_alive(self) -> bool | None:
        written = _written(LOCK)
        if (
            written == self._dead
        ):  # there is none, or a new run writes its process id; looking takes the lock for a moment
            return False
        going = alive()
        self._dead = written if going is False else 0
        return going

    def _process(self) -> str:
        try:
            return LOCK.read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return ""

    def _run_log(self, begin: int) -> RunLog | None:
        if begin != self._begin or self._log is None:
            self._begin, self._log = begin, run_log(begin)
        else:
            self._log.read()
        return self._log

    def _jobs(self, study: str, since: int, go_on: bool, told: dict[str, Told]) -> list[Seen]:
        """The jobs of a run.

        Args:
            study: the run's.
            since: when it began, in nanoseconds.
            go_on: whether its jobs go on.
            told: what Snakemake has told of each job, by its log.
        """
        logs = Path(Layout.of(study).logs)
        found: dict[str, tuple[int, Outcome | None]] = dict.fromkeys(told, (0, None))
        for record in logs.rglob(f"*{SUFFIX}"):
            place = log_path(record)
            if is_of_a_process(place):
                continue
            try:
                written = record.stat().st_mtime_ns
            except OSError:
                continue
            if written >= since:
                found[str(place)] = (written, self._outcome(record, written))
        seen = []
        for log, (written, outcome) in found.items():
            stage = Path(log).relative_to(logs).parts[0] if Path(log).is_relative_to(logs) else ""
            if stage in stages.STAGES:
                seen.append(_seen(stage, log, outcome, written, go_on, told.get(log)))
        if not go_on:
            seen = [job for job in seen if job.state is not JobState.WAITING]  # never to be started
        return sorted(seen, key=lambda job: (stages.STAGES.index(job.stage), job.name))

    def _outcome(self, record: Path, written: int) -> Outcome | None:
        if self._records.get(record, (0, None))[0] != written:
            self._records[record] = (written, read_outcome(log_path(record)))
        return self._records[record][1]


def _end(jobs: list[Seen], planned: int) -> RunState:
    states = Counter(job.state for job in jobs)
    if is_locked() or states[JobState.KILLED]:
        return RunState.KILLED
    if states[JobState.FAILED]:
        return RunState.FAILED
    if not planned and not states[JobState.STOPPED]:
        return RunState.ENDED
    is_whole = states[JobState.DONE] >= planned and not states[JobState.STOPPED]
    return RunState.FINISHED if is_whole else RunState.STOPPED


def _written(path: Path) -> int:
    """When a file of the run was written, in nanoseconds; 0: it is not there."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _seen(stage: str, log: str, outcome: Outcome | None, written: int, go_on: bool, told: Told | None) -> Seen:
    attempt = max(told.attempts if told else 1, outcome.attempt if outcome else 1)
    if outcome and outcome.attempt < attempt:  # a former one's: this one has not said anything yet
        outcome, written = None, 0
    state, cause = _state(outcome, go_on, told)
    said = last_said(Path(log)) if state is JobState.RUNNING else None
    changed = max(0.0, time.time() - written / 1e9) if written else None
    return Seen(stage, job_name(Path(log), stage), log, state, changed, said, cause, attempt)


def _state(outcome: Outcome | None, go_on: bool, told: Told | None) -> tuple[JobState, str]:
    """What a job is doing, and why where it does nothing any more.

    Args:
        outcome: as recorded by its last attempt in this run; None: not.
        go_on: whether jobs of the run that have begun go on.
        told: what Snakemake has told of it; None: nothing.
    """
    state, last = outcome.state if outcome else None, told.last if told else None
    if told and last is Event.FAILED:  # which is told of jobs that could not say so themselves, and of some that could
        return JobState.FAILED, cause_of(outcome, told.words)
    if state is State.FAILED:
        return JobState.FAILED, cause_of(outcome, "")
    if state is State.STOPPED:
        return JobState.STOPPED, cause_of(outcome, "")
    if state in (State.DONE, State.TAKEN_BACK) or last is Event.FINISHED:
        return JobState.DONE, ""
    if state is State.STARTED:
        return (JobState.RUNNING, "") if go_on else (JobState.KILLED, "killed with its run")
    return JobState.WAITING, ""


def _by_stage(rules: dict[str, int]) -> dict[str, int]:
    """Jobs per stage, in the stages' order. Args: per rule; those that make nothing have no stage."""
    counts: Counter[str] = Counter()
    for rule, count in rules.items():
        counts[SHARDS.get(rule, rule)] += count
    return {stage: counts[stage] for stage in stages.STAGES if counts[stage]}

"""What a run says of its jobs: how many of how many are done, how long the rest may take, and what no job says itself.

Jobs that run on this machine print their own lines here. Those of a cluster print them on their nodes, so that the run
says for them that they were handed over and how they ended.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from clearminds.run.terminal.time_left import TimeLeft, in_words

THEIRS = "their commands are"
FRESH = 1.0  # seconds for which a guess at the time is kept,
MORE = 1.1  # unless this many times as many jobs are done: a cluster's end many at a time


@dataclass(frozen=True)
class RunJob:
    """One job of a run.

    Attributes:
        title: its stage and what it is for, as its own lines begin.
        prints_here: whether it runs where its lines reach this terminal.
    """

    title: str
    prints_here: bool


class RunLines:
    """Counts the jobs of a run, and words what is to be said of each. Its methods may be called by several threads.

    Args:
        jobs: what will run, by ids; without targets, which do nothing.
        left: of the time.
        clock: seconds of a clock that only goes forward.
    """

    def __init__(self, jobs: dict[int, RunJob], left: TimeLeft, clock: Callable[[], float]):
        self._jobs, self._left, self._clock = jobs, left, clock
        self._done: set[int] = set()
        self._failed: dict[int, frozenset[int]] = {}  # for good, with the jobs that cannot run without them
        self._tried: set[int] = set()  # and failed
        self._guess: _Guess | None = None
        self._lock = threading.RLock()  # executors report failures from threads of their own

    def begins(self, commands: str | None) -> list[str]:
        """The run has been planned. Args: the file in which the jobs' commands are; None: in none."""
        if not self._jobs:
            return []
        jobs, theirs = ("1 job", "its command is") if len(self._jobs) == 1 else (f"{len(self._jobs):,} jobs", THEIRS)
        return [f"{jobs} to do; {theirs} in {commands}" if commands else f"{jobs} to do"]

    def starts(self, job: int) -> list[str]:
        """A job is started, or handed to a cluster; perhaps once more after it failed."""
        with self._lock:
            if (one := self._jobs.get(job)) is None:
                return []
            self._failed.pop(job, None)
            self._left.starts(job, self._clock())
            if job in self._tried:
                return [f"{one.title}: is tried again"]
            return [] if one.prints_here else [f"{one.title}: handed over"]

    def submitted(self, job: int, where: str) -> list[str]:
        """A cluster has taken a job. Args: its id; what it is called there, and its log."""
        return [f"{one.title}: is {where}"] if (one := self._jobs.get(job)) else []

    def ends(self, job: int, taken_back: bool = False) -> list[str]:
        """A job is done. Args: its id; whether it took its former result back."""
        with self._lock:
            if (one := self._jobs.get(job)) is None or job in self._done:
                return []
            seconds = self._left.ends(job, self._clock(), worked=not taken_back)
            self._done.add(job)
            self._failed.pop(job, None)
            if one.prints_here:
                return [self._whole()]
            how = "taken back: settings, code and inputs are what they were" if taken_back else "done"
            after = f" {seconds:,.0f} s after it was handed over" if seconds is not None and not taken_back else ""
            return [f"{one.title}: {how}{after}", self._whole()]

    def fails(self, job: int, cause: str | None, blocked: Iterable[int] = (), again: bool = False) -> list[str]:
        """A job has failed.

        Args:
            job: its id.
            cause: why, with what there is to look at; None: its own line has said it.
            blocked: the ids of the jobs that would need its result.
            again: whether it will be tried again.
        """
        with self._lock:
            if (one := self._jobs.get(job)) is None:
                return []
            if job not in self._done:
                self._left.ends(job, self._clock(), worked=False)
                self._tried.add(job)
                if not again:
                    self._failed[job] = frozenset(blocked)
            return [] if cause is None else [f"{one.title}: error: {cause}"]

    def _whole(self) -> str:
        parts = [f"{len(self._done):,} of {len(self._jobs):,} jobs done"]
        if self._failed:
            parts.append(f"{len(self._failed):,} failed")
        if (seconds := self._seconds()) is not None:
            parts.append(f"{in_words(seconds)} left")
        return f"[{', '.join(parts)}]"

    def _seconds(self) -> float | None:
        """What is left; as guessed before, where that was just now: a guess looks at every job that is left."""
        now, done = self._clock(), len(self._done)
        if self._guess is None or now - self._guess.at >= FRESH or done > MORE * self._guess.done:
            self._guess = _Guess(now, done, self._guessed(now))
        return self._guess.seconds if done < len(self._jobs) else None

    def _guessed(self, now: float) -> float | None:
        rest = self._jobs.keys() - self._done - self._failed.keys() - frozenset().union(*self._failed.values())
        return self._left.seconds(rest, now) if rest else None


@dataclass(frozen=True)
class _Guess:
    """How many seconds were left when so many jobs were done; None: unknown."""

    at: float
    done: int
    seconds: float | None

"""How long the rest of a run may take: by the plan's estimate of each job, and by the seconds of those that are done.

A plan's estimate is an upper bound, for a device that may be another one; what matters is how jobs compare. Every job
takes some seconds to begin (imports, a model that is loaded) and then as many as its work asks for; what a second of
the estimate is worth here is learned from the jobs that are done, first of all from those of the same stage.

Of jobs that run elsewhere it is known when they were handed over, not how long they waited. What is left of them
follows from how much of their work got done since then, waiting included.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

FURTHEST = 30  # times as much work as was seen so far, that a job of a stage not seen yet may have and be guessed
MINUTE, HOUR, DAY = 60, 3600, 86_400


@dataclass(frozen=True)
class Expected:
    """What is known of a job before it runs.

    Attributes:
        stage: of the job.
        seconds: that the plan estimates for its model's work; 0: for none.
        typical: whether its seconds tell how long the work of other stages takes.
        here: whether it runs on this machine, where it starts when it is said to.
    """

    stage: str
    seconds: float = 0
    typical: bool = True
    here: bool = True


@dataclass
class _Sum:
    """Of jobs: how many, how long they took together, and how long that was expected to be."""

    jobs: int = 0
    took: float = 0
    expected: float = 0

    def add(self, took: float, expected: float) -> None:
        self.jobs, self.took, self.expected = self.jobs + 1, self.took + took, self.expected + expected


@dataclass
class TimeLeft:
    """Seconds that are left of a run, from what its jobs have taken so far.

    Attributes:
        expected: of each job, by its id.
    """

    expected: Mapping[int, Expected] = field(default_factory=dict)
    _began: dict[int, float] = field(default_factory=dict)
    _busy: float = 0  # seconds of all jobs that have ended
    _first: float | None = None
    _stages: dict[str, _Sum] = field(default_factory=dict)
    _shortest: float | None = None  # of the jobs with a model
    _handed_over: float | None = None  # when the first job with work was, that runs elsewhere
    _done_elsewhere: float = 0  # estimated seconds of those that are done

    def starts(self, job: int, now: float) -> None:
        """Note that a job begins or is handed over, perhaps once more. Args: its id; seconds of a clock."""
        self._began[job] = now
        if self._is_here(job):
            self._first = now if self._first is None else self._first
        elif self._handed_over is None and self._work(job):
            self._handed_over = now

    def ends(self, job: int, now: float, worked: bool = True) -> float | None:
        """Note that a job is over.

        Args:
            job: its id.
            now: seconds of the same clock.
            worked: whether it did all of its work: not where it failed or took its former result back.

        Returns:
            seconds since its start, or since it was handed over; None where neither was noted.
        """
        if (began := self._began.pop(job, None)) is None:
            return None
        took = max(0.0, now - began)
        if not self._is_here(job):
            self._done_elsewhere += self._work(job) if worked else 0.0
            return took
        self._busy += took
        if worked and (expected := self.expected.get(job)) is not None:
            self._stages.setdefault(expected.stage, _Sum()).add(took, expected.seconds)
            if expected.seconds:
                self._shortest = took if self._shortest is None else min(self._shortest, took)
        return took

    def seconds(self, jobs: Iterable[int], now: float) -> float | None:
        """What is left, 0 or more; None while there is nothing to go by.

        Args:
            jobs: the ids of those that have not ended.
            now: seconds of the same clock.
        """
        here: list[int] = []
        elsewhere: list[int] = []
        for job in jobs:
            (here if self._is_here(job) else elsewhere).append(job)
        parts = [
            *([self._seconds_here(here, now)] if here else []),
            *([self._seconds_elsewhere(elsewhere, now)] if elsewhere else []),
        ]
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None

    def _is_here(self, job: int) -> bool:
        return (one := self.expected.get(job)) is None or one.here

    def _work(self, job: int) -> float:
        """Estimated seconds of a job, by which it counts among those that run elsewhere."""
        one = self.expected[job]
        return one.seconds if one.typical else 0.0

    def _seconds_elsewhere(self, jobs: list[int], now: float) -> float | None:
        works = [self._work(job) for job in jobs]
        if self._handed_over is None or max(works) > FURTHEST * self._done_elsewhere or not any(works):
            return None
        return sum(works) * (now - self._handed_over) / self._done_elsewhere

    def _seconds_here(self, jobs: list[int], now: float) -> float | None:
        left, longest, learned = 0.0, 0.0, self._learned()
        for job in jobs:
            one = self._one(self.expected.get(job), *learned)
            if one is None:
                return None
            if (began := self._began.get(job)) is not None:
                one = max(0.0, one - (now - began))
            left, longest = left + one, max(longest, one)
        return max(longest, left / self._at_a_time(now))

    def _at_a_time(self, now: float) -> float:
        """How many jobs have run side by side in the mean; at least one."""
        if self._first is None or now <= self._first:
            return 1.0
        busy = self._busy + sum(now - began for job, began in self._began.items() if self._is_here(job))
        return max(1.0, busy / (now - self._first))

    def _learned(self) -> tuple[float, float]:
        """Of the stages that tell something of others: the seconds that their jobs were expected to take, and those
        that they took after their start."""
        stages = {one.stage for one in self.expected.values() if one.typical and one.seconds}
        known = [found for stage, found in self._stages.items() if stage in stages]
        least = self._shortest or 0.0
        took = sum(max(0.0, one.took - one.jobs * least) for one in known)
        return sum(one.expected for one in known), took

    def _one(self, expected: Expected | None, seen: float, took: float) -> float | None:
        """Seconds of a whole job; None: unknown."""
        if expected is None:
            return None
        least = self._shortest or 0.0
        if (same := self._stages.get(expected.stage)) is not None:
            mean = same.took / same.jobs
            if not same.expected:
                return mean
            start = min(least, mean)
            return start + (mean - start) * expected.seconds * same.jobs / same.expected
        if not expected.seconds:  # seconds, beside a model's minutes
            small = [one for one in self._stages.values() if not one.expected]
            return sum(one.took for one in small) / sum(one.jobs for one in small) if small else 0.0
        if expected.seconds > FURTHEST * seen:
            return None
        return least + took / seen * expected.seconds


def in_words(seconds: float) -> str:
    """A time that is only about right: `about 40 s`, `about 9 min`, `about 2.5 h`, `about 3 days`."""
    if seconds < MINUTE - 5:
        return f"about {max(10, round(seconds, -1)):.0f} s"
    if seconds < HOUR - 30:
        return f"about {seconds / MINUTE:.0f} min"
    if seconds < 2 * DAY:
        return f"about {round(seconds / HOUR, 0 if seconds > 10 * HOUR else 1):g} h"
    return f"about {seconds / DAY:.0f} days"

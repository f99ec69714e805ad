"""What a run says of its jobs: how many of how many are done, how long the rest may take, and what no job says itself.

Jobs that run on this machine print their own lines here. Those of a cluster print them on their nodes, so that the run
says for them that they were submitted and how they ended.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from clearminds.run.terminal.time_left import TimeLeft, in_words


@dataclass(frozen=True)
class RunJob:
    """One job of a run.

    Attributes:
        title: its stage and what it is for, as its own lines begin.
        speaks: whether it runs where its lines reach this terminal.
    """

    title: str
    speaks: bool


class RunLines:
    """Counts the jobs of a run, and words what is to be said of each.

    Args:
        jobs: what will run, by ids; without targets, which do nothing.
        left: of the time.
        clock: seconds of a clock that only goes forward.
    """

    def __init__(self, jobs: dict[int, RunJob], left: TimeLeft, clock: Callable[[], float]):
        self._jobs, self._left, self._clock = jobs, left, clock
        self._done: set[int] = set()
        self._failed: dict[int, frozenset[int]] = {}  # with the jobs that cannot run without them

    def begins(self, commands: str | None) -> list[str]:
        """The run has been planned. Args: the file in which the jobs' commands are; None: in none."""
        if not self._jobs:
            return []
        where = f"; their commands are in {commands}" if commands else ""
        return [f"{len(self._jobs):,} job{'s' if len(self._jobs) > 1 else ''} to do{where}"]

    def starts(self, job: int) -> list[str]:
        """A job is started, or handed to a cluster; perhaps once more after it failed."""
        if (one := self._jobs.get(job)) is None:
            return []
        again = job in self._failed
        self._failed.pop(job, None)
        self._left.starts(job, self._clock())
        return [f"{one.title}: is tried again"] if again else []

    def submitted(self, job: int, where: str) -> list[str]:
        """A job has been handed to a cluster. Args: its id; what it is called there, and its log."""
        return [f"{one.title}: submitted as {where}"] if (one := self._jobs.get(job)) else []

    def ends(self, job: int, taken_back: bool = False) -> list[str]:
        """A job is done. Args: its id; whether it took its former result back."""
        if (one := self._jobs.get(job)) is None or job in self._done:
            return []
        seconds = self._left.ends(job, self._clock(), worked=not taken_back)
        self._done.add(job)
        self._failed.pop(job, None)
        if one.speaks:
            return [self._whole()]
        how = "taken back: settings, code and inputs are what they were" if taken_back else "done"
        after = f" {seconds:,.0f} s after it was submitted" if seconds is not None and not taken_back else ""
        return [f"{one.title}: {how}{after}", self._whole()]

    def fails(self, job: int, cause: str | None, blocked: Iterable[int] = ()) -> list[str]:
        """A job has failed, for now or for good.

        Args:
            job: its id.
            cause: why, with what there is to look at; None: its own line has said it.
            blocked: the ids of the jobs that would need its result.
        """
        if (one := self._jobs.get(job)) is None:
            return []
        if job not in self._done:
            self._left.ends(job, self._clock(), worked=False)
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
        rest = self._jobs.keys() - self._done - self._failed.keys() - frozenset().union(*self._failed.values())
        return self._left.seconds(rest, self._clock()) if rest else None

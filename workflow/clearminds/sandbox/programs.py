"""Runs programs against their tests, each program in a sandbox of its own."""

import os
import queue
import selectors
import signal
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

from clearminds.sandbox.inside.frames import BadMessage, Closed
from clearminds.sandbox.isolation import ISOLATIONS, SandboxError
from clearminds.sandbox.limits import Limits
from clearminds.sandbox.processes import Started

__all__ = ["Result", "Sandbox", "SandboxError", "Trial"]


@dataclass(frozen=True)
class Trial:
    """A program and what it must pass.

    Attributes:
        program: the source of the candidate.
        tests: source that raises where the program is wrong. Names that neither it nor `setup` defines are the
            program's.
        setup: trusted source that runs before the tests, beside them: their imports, a prompt's helper functions.
        entry_point: a name that is the program's even where `setup` defines it; "": none.
    """

    program: str
    tests: str
    setup: str = ""
    entry_point: str = ""


@dataclass(frozen=True)
class Result:
    """What became of a trial.

    Attributes:
        verdict: correct, incorrect or timeout.
        detail: one line.
    """

    verdict: str
    detail: str


class Sandbox:
    """Workers, each with a process for tests and a fresh one for the next program. A context manager.

    Args:
        isolation: one of `isolation.ISOLATIONS`.
        workers: programs at a time; None: as many as this process may use cores.
        limits: of each program, and of its tests.

    Raises:
        SandboxError: on entering, where it does not work here; whenever it breaks.
    """

    def __init__(self, isolation: str = "bubblewrap", workers: int | None = None, limits: Limits = Limits()):  # noqa: B008 (frozen)
        if isolation not in ISOLATIONS:
            raise SandboxError(f"runtime: sandbox is one of {', '.join(ISOLATIONS)}, not {isolation!r}")
        self.isolation = isolation
        self.limits = limits
        self.workers = workers or len(os.sched_getaffinity(0))
        self._work: queue.SimpleQueue = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "Sandbox":
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(self.workers)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    def run(self, trials: Sequence[Trial]) -> list[Result]:
        """The trials' results, in their order.

        Raises:
            SandboxError: the sandbox broke.
        """
        done: queue.SimpleQueue = queue.SimpleQueue()
        for place, trial in enumerate(trials):
            self._work.put((place, trial, done))
        results: dict[int, Result] = {}
        while len(results) < len(trials):
            place, result = done.get()
            if isinstance(result, BaseException):
                self._drop_work()
                raise result
            results[place] = result
        return [results[place] for place in range(len(trials))]

    def _drop_work(self) -> None:
        try:
            while True:
                self._work.get_nowait()
        except queue.Empty:
            pass

    def _serve(self) -> None:
        # the processes die with the thread that started them
        worker = _Worker(self.isolation, self.limits)
        try:
            while (item := self._work.get()) is not None:
                place, trial, done = item
                try:
                    done.put((place, worker.run(trial)))
                except BaseException as error:
                    done.put((place, error))
        finally:
            worker.close()


class _Worker:
    """One program at a time. Args: isolation, limits: as `Sandbox` has them."""

    def __init__(self, isolation: str, limits: Limits):
        self._isolation, self._limits = isolation, limits
        self._own_users = os.geteuid() != 0
        self._tests: Started | None = None
        self._next: Started | None = None

    def run(self, trial: Trial) -> Result:
        for last in (False, True):
            outcome, detail = self._once(trial)
            if outcome in ("correct", "incorrect", "timeout"):
                return Result(outcome, " ".join(detail.split()))
            if outcome == "unjudgeable":
                raise SandboxError(detail)
            if outcome == "died" and last:
                return Result("incorrect", detail)
        raise SandboxError(f"the sandbox broke: {detail}")

    def close(self) -> None:
        for process in (self._tests, self._next):
            if process:
                process.end()
        self._tests = self._next = None

    def _once(self, trial: Trial) -> tuple[str, str]:
        tests = self._tests or self._start("tests_process", for_children=True)
        program = self._next or self._start("candidate", for_children=False)
        self._next, self._tests = None, None
        asked = time.monotonic()
        outcome: Any = None
        try:
            if tests is not self._tests and not getattr(tests, "ready", False):
                tests.channel.receive()
                tests.ready = True  # type: ignore[attr-defined]
            socket.send_fds(tests.connection, [b"t"], [program.connection.fileno()])
            tests.channel.send(asdict(trial))
            self._next = self._start("candidate", for_children=False)
            if _readable(tests, asked + self._limits.wall_seconds - time.monotonic()):
                outcome = tests.channel.receive()
        except (Closed, BadMessage, OSError):
            outcome = ["missing", "the process of the tests broke"]
        status = program.ended(1 if outcome and outcome[0] == "lost" else 0)
        program.end()
        if outcome is None:
            tests.end()
            return "timeout", f"longer than {self._limits.wall_seconds:g} s"
        if outcome[0] == "missing":
            tests.end()
            return "missing", f"{outcome[1]}: {program.said()} {tests.said()}"
        self._tests = tests
        if outcome[0] == "lost":
            if status in (-signal.SIGXCPU, 128 + signal.SIGXCPU):
                return "timeout", f"longer than {self._limits.cpu_seconds:g} s of CPU time"
            return "incorrect", outcome[1]
        if outcome[0] == "died":
            if outcome[1] in (9, 24):
                return "timeout", f"its tests took longer than {self._limits.cpu_seconds:g} s of CPU time"
            return "died", f"its tests' process died (signal {outcome[1]})"
        return outcome[0], outcome[1]

    def _start(self, module: str, *, for_children: bool) -> Started:
        return Started(module, self._isolation, self._limits, own_users=self._own_users, for_children=for_children)


def _readable(process: Started, seconds: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(process.connection, selectors.EVENT_READ)
        return bool(selector.select(max(seconds, 0)))

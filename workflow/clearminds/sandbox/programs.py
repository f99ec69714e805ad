"""Runs programs against their tests, each program in a sandbox of its own."""

import selectors
import signal
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

from clearminds.sandbox.census import cpu, family, memory
from clearminds.sandbox.inside.frames import BadMessage, Closed
from clearminds.sandbox.isolation import SandboxError, require
from clearminds.sandbox.limits import Limits
from clearminds.sandbox.processes import Kind, Started
from clearminds.sandbox.workers import Workers

__all__ = ["Result", "Sandbox", "SandboxError", "Trial", "Unjudgeable"]

_DEFAULT = Limits()
_LONGEST = 2**18  # characters of a program, and of its tests
_GRACE = 5.0  # seconds for the tests to notice that the program has been killed
_FIRST_LOOK, _LOOK = 0.5, 0.1  # seconds until what a program uses is looked at, and between two looks


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
        detail: one line of printable characters.
    """

    verdict: str
    detail: str


class Unjudgeable(SandboxError):
    """A trial's tests cannot be used, whatever the program. Args: message; trial: which."""

    def __init__(self, message: str, trial: Trial):
        super().__init__(message)
        self.trial = trial


class Sandbox(Workers):
    """Workers, each with a process for tests and the next program's process at hand. A context manager.

    Args:
        isolation: one of `isolation.ISOLATIONS`.
        workers: programs at a time; None: as many as this process may use cores.
        limits: of each program, and of its tests.

    Raises:
        SandboxError: on entering, where it does not work here; whenever it breaks.
    """

    def __init__(self, isolation: str = "bubblewrap", workers: int | None = None, limits: Limits = _DEFAULT):
        super().__init__(isolation, workers, limits)
        self._own = threading.local()

    def __enter__(self) -> "Sandbox":
        require(self.kind.isolation)
        self.open()
        try:
            self._test_itself()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, trials: Sequence[Trial]) -> list[Result]:
        """The trials' results, in their order.

        Raises:
            SandboxError: the sandbox broke.
            Unjudgeable: a trial's tests cannot be used.
        """
        return self.map(self._judge, trials)

    def _test_itself(self) -> None:
        """A right and a wrong program get their verdicts, or this is no sandbox.

        Root of a container may lack what the kernel asks of root, and is then isolated as other users are.
        """
        kinds = [self.kind]
        if self.kind == Kind("bubblewrap", own_users=False):
            kinds.append(Kind("bubblewrap", own_users=True))
        said = ""
        for self.kind in kinds:
            self._own = threading.local()
            try:
                verdicts = [result.verdict for result in self.run([_RIGHT, _WRONG])]
            except SandboxError as error:
                said = said or str(error)
                continue
            if verdicts == ["correct", "incorrect"]:
                return
            said = said or f"it finds a right and a wrong program {' and '.join(verdicts)}"
        raise SandboxError(
            f"{self.kind.isolation} does not work on this machine: {said}; docs/sandbox.md says what it needs, and "
            "runtime: {sandbox: rlimits} does without isolation"
        )

    def _judge(self, trial: Trial) -> Result:
        for text, verdict in ((trial.program, "incorrect"), (trial.tests + trial.setup, "unjudgeable")):
            if len(text) > _LONGEST:
                said = f"{len(text)} characters, more than {_LONGEST}"
                if verdict == "incorrect":
                    return Result(verdict, f"the program has {said}")
                raise Unjudgeable(f"its tests have {said}", trial)
        for last in (False, True):
            outcome, detail = self._once(trial)
            if outcome in ("correct", "incorrect", "timeout"):
                return Result(outcome, _printable(detail))
            if outcome == "unjudgeable":
                raise Unjudgeable(_printable(detail), trial)
            if outcome == "died" and last:
                if self._once(Trial("", trial.tests, trial.setup, trial.entry_point))[0] == "died":
                    raise Unjudgeable(_printable(detail), trial)
                return Result("incorrect", _printable(detail))
        raise SandboxError(f"the sandbox broke: {_printable(detail)}")

    def _once(self, trial: Trial) -> tuple[str, str]:
        tests = self._taken("tests") or self.start("tests_process", lives_on=True)
        program = self._taken("program") or self.start("candidate")
        outcome: Any = None
        stopped = None
        try:
            socket.send_fds(tests.connection, [b"t"], [program.connection.fileno()])
            tests.channel.send(asdict(trial))
            self._own.program = self.start("candidate")
            stopped = self._watch(tests, program)
            if stopped is None or _readable(tests, _GRACE):
                outcome = tests.channel.receive()
        except (Closed, BadMessage, OSError):
            outcome = ["missing", "the process of the tests ended"]
        used = cpu(family(program.pid))  # what has ended is counted until someone has waited for it
        status = program.ended(1 if outcome and outcome[0] == "lost" and not stopped else 0)
        self.end(program)
        if outcome is None or outcome[0] == "missing":
            self.end(tests)
        else:
            self._own.tests = tests
        if stopped:
            return stopped
        if outcome[0] == "missing":
            return "missing", f"{outcome[1]}: {program.said() or tests.said()}"
        return self._meaning(outcome[0], outcome[1], status, used)

    def _watch(self, tests: Started, program: Started) -> tuple[str, str] | None:
        """Waits for the tests' word. What must not go on for so long is killed; returns the verdict that this means."""
        until = time.monotonic() + self.limits.wall_seconds
        pause = _FIRST_LOOK if self.isolation == "bubblewrap" else _LOOK
        while (left := until - time.monotonic()) > 0:
            if _readable(tests, min(left, pause)):
                return None
            pause = _LOOK
            if found := self._excess(family(program.pid)):
                program.kill()
                return found
        program.kill()
        return "timeout", f"longer than {self.limits.wall_seconds:g} s"

    def _excess(self, pids: list[int]) -> tuple[str, str] | None:
        """What a program's processes use too much of together; the kernel's limits are each process' alone."""
        if cpu(pids) >= self.limits.cpu_seconds:
            return self._too_slow
        if memory(pids) > self.limits.memory_mb * 2**20:
            return "incorrect", f"more than {self.limits.memory_mb} MB of memory"
        if self.isolation == "rlimits" and len(pids) > self.limits.processes:
            return "incorrect", f"more than {self.limits.processes} processes"
        return None

    @property
    def _too_slow(self) -> tuple[str, str]:
        return "timeout", f"longer than {self.limits.cpu_seconds:g} s of CPU time"

    def _meaning(self, outcome: str, detail: Any, status: int | None, used: float) -> tuple[str, str]:
        if outcome == "lost":
            if status in _ended_by(signal.SIGXCPU):
                return self._too_slow
            if status in _ended_by(signal.SIGKILL):  # the limit's second signal, or a machine without memory
                return self._too_slow if used >= self.limits.cpu_seconds else ("died", "the program was killed")
            return "incorrect", detail
        if outcome == "died":
            if detail == signal.SIGXCPU:
                return self._too_slow
            return "died", f"the process of its tests died ({detail})"
        return outcome, detail

    def _taken(self, which: str) -> Started | None:
        found: Started | None = getattr(self._own, which, None)
        setattr(self._own, which, None)
        return found


_RIGHT = Trial("def double(x):\n    return 2 * x\n", "assert double(2) == 4\n")
_WRONG = Trial("def double(x):\n    return 3 * x\n", "assert double(2) == 4\n")


def _readable(process: Started, seconds: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(process.connection, selectors.EVENT_READ)
        return bool(selector.select(seconds))


def _ended_by(number: signal.Signals) -> tuple[int, int]:
    """The exit status of a process that a signal ended, its own and that of a shell or bwrap around it."""
    return -number, 128 + number


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))[:300]

"""Threads that work in sandboxes, so many at a time, and all that they have started."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from compileall import compile_dir
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from clearminds.sandbox.isolation import ISOLATIONS, NOTHING, SandboxError
from clearminds.sandbox.limits import Limits
from clearminds.sandbox.processes import Kind, Started


class Workers:
    """So many pieces of work at a time, each with processes in isolation. A context manager.

    Args:
        isolation: one of `isolation.ISOLATIONS`.
        workers: pieces at a time; None: as many as this process may use cores.
        limits: of each process.

    Raises:
        SandboxError: there is no such isolation.
    """

    def __init__(self, isolation: str, workers: int | None, limits: Limits):
        if isolation not in ISOLATIONS:
            raise SandboxError(f"runtime: sandbox is one of {', '.join(ISOLATIONS)}, not {isolation!r}")
        self.kind = Kind(isolation, own_users=os.geteuid() != 0)
        self.limits = limits
        self.workers = workers or len(os.sched_getaffinity(0))
        self._running: set[Started] = set()
        self._lock = threading.Lock()
        self._closing = False
        self._pool: ThreadPoolExecutor | None = None

    @property
    def isolation(self) -> str:
        """One of `isolation.ISOLATIONS`."""
        return self.kind.isolation

    def open(self) -> None:
        """Takes up work."""
        self._closing = False
        compile_dir(Path(__file__).parent / "inside", quiet=2)  # else each process would: inside nothing can be written
        self._pool = ThreadPoolExecutor(self.workers)

    def close(self) -> None:
        """Ends all work, and every process."""
        with self._lock:
            self._closing = True
            for process in self._running:
                process.kill()
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
        self._pool = None
        for process in list(self._running):
            self.end(process)

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """The function's results in the items' order, `workers` at a time; it may `start` and `end` processes.

        Raises:
            SandboxError: the function does, or whatever else it raises; what has not begun then never begins.
        """
        if self._pool is None:
            raise SandboxError("the sandbox is not open")
        futures = [self._pool.submit(function, item) for item in items]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()

    def start(self, module: str, *, lives_on: bool = False, shown: Mapping[Path, str] = NOTHING) -> Started:
        """Starts a process, as `Started` does, from a function that is mapped.

        Raises:
            SandboxError: it cannot be started, or this is closing.
        """
        process = Started(module, self.kind, self.limits, lives_on=lives_on, shown=shown)
        with self._lock:
            self._running.add(process)
            closing = self._closing
        if closing:
            self.end(process)
            raise SandboxError("the sandbox is closing")
        return process

    def end(self, process: Started) -> None:
        """Ends a process."""
        process.end()
        with self._lock:
            self._running.discard(process)

"""What one process measures: how much it did, in how many seconds, in how much memory."""

import ctypes
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

KERNEL = Path("/proc")
RESET_PEAK = "5"  # written to `clear_refs` it sets the peak of the resident set back to what it is now (Linux, proc(5))
POLL = 0.005  # seconds between two looks at the resident set, where the kernel cannot be asked for the peak


@dataclass(frozen=True)
class Measured:
    """One measurement.

    Attributes:
        amount: of work, in the measurement's own unit; seconds are compared per unit.
        cpu: seconds that all threads of the process had of a core, which other programs on the machine change least.
        wall: seconds that went by.
        memory: MiB of the process at its peak, above what it had before the work.
        flops: of the matrix products that the work needs at least, where they are known.
        found: numbers that the other side of the row must come to as well, such as the losses of a training.
    """

    amount: float
    cpu: float
    wall: float
    memory: float
    flops: float = 0.0
    found: tuple[float, ...] = ()

    def as_dict(self) -> dict:
        """For JSON."""
        return asdict(self)

    def finding(self, *numbers: float) -> "Measured":
        """The same with the numbers that the work came to."""
        return replace(self, found=numbers)


@dataclass(frozen=True)
class Places:
    """Where things are.

    Attributes:
        model: folder of the embedded model.
        work: folder for made-up tables, which are kept and used again.
    """

    model: Path
    work: Path


@contextmanager
def peak_above(process: psutil.Process) -> Iterator[Callable[[], float]]:
    """Watch a process's memory: gives a function that says how many MiB its peak was above where it began.

    What this process freed before is given back first, so that memory used again counts. `ru_maxrss` would not do: it
    begins at what the parent held when it started the process.
    """
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    kernel = KERNEL / str(process.pid)
    try:
        (kernel / "clear_refs").write_text(RESET_PEAK)
    except OSError:  # no Linux, or one that keeps this to itself
        with _polled(process) as highest:
            yield highest
        return
    before = _kernel_mib(kernel, "VmRSS")
    yield lambda: max(0.0, _kernel_mib(kernel, "VmHWM") - before)


def _kernel_mib(kernel: Path, name: str) -> float:
    lines = dict(line.split(":", 1) for line in (kernel / "status").read_text().splitlines())
    return int(lines[name].split()[0]) / 1024


@contextmanager
def _polled(process: psutil.Process) -> Iterator[Callable[[], float]]:
    done = threading.Event()
    seen = [process.memory_info().rss]

    def look() -> None:
        while not done.wait(POLL):
            seen.append(max(process.memory_info().rss, seen.pop() if len(seen) > 1 else 0))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    yield lambda: (max(seen) - seen[0]) / 2**20
    done.set()
    thread.join()


def measure(work: Callable[[], float], flops: float = 0.0, process: psutil.Process | None = None) -> Measured:
    """Do some work once.

    Args:
        work: gives its amount.
        flops: as of `Measured`.
        process: which does the work for this one, and is measured in its place.
    """
    process = process or psutil.Process()
    with peak_above(process) as peak:
        wall, cpu = time.perf_counter(), _seconds(process)
        amount = work()
        cpu, wall = _seconds(process) - cpu, time.perf_counter() - wall
        return Measured(amount, cpu, wall, peak(), flops)


def _seconds(process: psutil.Process) -> float:
    """Of a core, of all threads; of another process in hundredths, as the kernel tells them."""
    if process.pid == os.getpid():
        return time.process_time()
    used = process.cpu_times()
    return used.user + used.system


def fastest(measured: Iterable[Measured]) -> Measured:
    """The best of several settings: a peer is taken as it is fastest."""
    return max(measured, key=lambda one: one.amount / one.cpu)

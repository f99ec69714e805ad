"""What one process measures: how much it did, in how many seconds, in how much memory."""

import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """One measurement.

    Attributes:
        amount: of work, in the measurement's own unit; seconds are compared per unit.
        cpu: seconds that all threads of the process had of a core, which other programs on the machine change least.
        wall: seconds that went by.
        memory: MiB of the process at its peak, above what it had before the work.
        flops: of the matrix products that the work needs at least, where they are known.
    """

    amount: float
    cpu: float
    wall: float
    memory: float
    flops: float = 0.0

    def as_dict(self) -> dict:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Places:
    """Where things are.

    Attributes:
        model: folder of the embedded model.
        work: folder for made-up tables, which are kept and used again.
    """

    model: Path
    work: Path


def peak_mib() -> float:
    """MiB of this process at its peak so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(work: Callable[[], float], flops: float = 0.0) -> Measured:
    """Do some work once. Args: work: gives its amount; flops: as of `Measured`."""
    before, wall, cpu = peak_mib(), time.perf_counter(), time.process_time()
    amount = work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Measured(amount, cpu, wall, peak_mib() - before, flops)

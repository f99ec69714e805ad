"""What one program may use."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of one program; the tests it faces have the same.

    CPU time decides whether a program is too slow, so that a busy machine changes no verdict; wall time only ends what
    sleeps. Memory of the kernel's for empty files in /tmp is not counted; CPU time bounds it.

    Attributes:
        cpu_seconds: of each of its processes, rounded up to whole seconds.
        wall_seconds: from its start to its last test.
        memory_mb: of each process, and of all of them together, in MB of 2**20 bytes.
        processes: at a time, threads included.
        disk_mb: of its private /tmp, and of each file.
    """

    cpu_seconds: float = 10
    wall_seconds: float = 60
    memory_mb: int = 1024
    processes: int = 16
    disk_mb: int = 32

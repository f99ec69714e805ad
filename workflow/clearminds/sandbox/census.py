"""Counts what a process has started, and what all of them use: limits of the kernel's hold for each alone."""

import os
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")  # a second


def family(pid: int) -> list[int]:
    """A process and all below it, as far as they are there."""
    found, left = [], [pid]
    while left:
        found.append(one := left.pop())
        try:
            for task in (_PROC / str(one) / "task").iterdir():
                left += [int(child) for child in (task / "children").read_text().split()]
        except OSError:  # it has ended, or this kernel keeps no such lists
            continue
    return found


def memory(pids: list[int]) -> int:
    """Bytes in memory that processes have made, code and files left out; what several of them share counts for each."""
    used = 0
    for pid in pids:
        try:
            lines = (_PROC / str(pid) / "status").read_text().splitlines()
        except OSError:
            continue
        used += sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:")))
    return used * 2**10


def cpu(pids: list[int]) -> float:
    """Seconds of CPU time that processes have used, with those of theirs that have ended."""
    used = 0
    for pid in pids:
        try:
            after_name = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        used += sum(map(int, after_name[11:15]))
    return used / _TICKS


def threads_of_user(user: int) -> int:
    """How many threads a user has on this machine, which is what the kernel's limit on processes counts."""
    count = 0
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            try:
                if folder.stat().st_uid == user:
                    count += len(list((folder / "task").iterdir()))
            except OSError:
                continue
    return count

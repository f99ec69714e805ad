"""Counts what a process has started, and what all of them use: limits of the kernel's hold for each alone."""

import os
from pathlib import Path

_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")


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
    """Bytes in memory that belong to the processes alone, files and code left out; what a fork shares counts twice."""
    used = 0
    for pid in pids:
        try:
            _, resident, shared, *_ = map(int, (_PROC / str(pid) / "statm").read_text().split())
        except (OSError, ValueError):
            continue
        used += (resident - shared) * _PAGE
    return used


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

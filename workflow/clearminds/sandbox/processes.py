"""Starts, limits and ends the processes of a sandbox."""

import contextlib
import itertools
import json
import math
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from clearminds.sandbox.inside.frames import Channel
from clearminds.sandbox.isolation import SandboxError, bubblewrap, checkout, environment, python
from clearminds.sandbox.limits import Limits

_count = itertools.count()
_count_lock = threading.Lock()


class Started:
    """A process in isolation, with a connection to it.

    Args:
        module: of `sandbox.inside`, whose `main` runs.
        isolation: one of `ISOLATIONS`.
        limits: of the process.
        own_users: see `isolation.bubblewrap`.
        child_limits: also of its children; None: it is a program, which has them itself.
        shown: files that it sees too, read-only, and where.
    """

    def __init__(
        self,
        module: str,
        isolation: str,
        limits: Limits,
        *,
        own_users: bool,
        for_children: bool,
        shown: Mapping[Path, str] | None = None,
    ):
        ours, theirs = socket.socketpair()
        settings = {"limits": rlimits(limits), "uid": None}
        if for_children:
            settings["child_limits"] = settings["limits"]
            settings["limits"] = {k: v for k, v in rlimits(limits).items() if k != "RLIMIT_CPU"}
        command = []
        if isolation == "bubblewrap":
            command = bubblewrap(limits.disk_mb * 2**20, own_users=own_users, shown=shown or {})
            if not own_users:
                settings["uid"] = _user()
        else:
            settings["limits"].pop("RLIMIT_NPROC", None)
        with theirs:
            self._process = subprocess.Popen(
                command + python(module, json.dumps(settings)),
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environment(checkout()),
                start_new_session=True,
            )
        self.connection = ours
        self.channel = Channel(ours)

    def end(self) -> int:
        """Kills it with all that it has started. Returns its exit status, as `subprocess` has it."""
        self.connection.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        status = self._process.wait()
        self._said = self._process.stderr.read().decode(errors="replace") if self._process.stderr else ""
        self._process.stderr.close()
        return status

    def ended(self, seconds: float = 0) -> int | None:
        """Its exit status, waited for so long; None while it runs."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def said(self) -> str:
        """What it wrote before it took up its work, such as why it could not, once it has ended."""
        return " ".join(self._said.split())[-300:]


def rlimits(limits: Limits) -> dict[str, int]:
    """The limits by their names in `resource`."""
    disk = limits.disk_mb * 2**20
    return {
        "RLIMIT_AS": limits.memory_mb * 2**20,
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": math.ceil(limits.cpu_seconds),
        "RLIMIT_FSIZE": disk,
        "RLIMIT_NOFILE": 64,
        "RLIMIT_NPROC": limits.processes,
    }


def _user() -> int:
    """A user id that no other process on this machine has: of ours no two at a time, and below another's number."""
    with _count_lock:
        return 2**30 + os.getpid() * 256 + next(_count) % 256


__all__ = ["SandboxError", "Started", "rlimits"]

"""Starts and ends the processes of a sandbox."""

import contextlib
import itertools
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from clearminds.sandbox.apptainer import apptainer, skeleton
from clearminds.sandbox.bubblewrap import bubblewrap
from clearminds.sandbox.census import family, threads_of_user
from clearminds.sandbox.inside.frames import Channel
from clearminds.sandbox.isolation import ENVIRONMENT, NOTHING, checkout_paths, python
from clearminds.sandbox.limits import Limits
from clearminds.sandbox.system_calls import system_call_filter

_count = itertools.count()


@dataclass(frozen=True)
class Kind:
    """How processes are isolated.

    Attributes:
        isolation: one of `isolation.ISOLATIONS`.
        own_users: with bubblewrap: see there.
    """

    isolation: str
    own_users: bool = False


class Started:
    """A process in isolation, with a connection to it. It dies with the thread that starts it.

    Args:
        module: of `sandbox.inside`, whose `main` runs there; its first message is `["ready"]`.
        kind: how it is isolated.
        limits: of the process.
        lives_on: it forks a child for each piece of work, and the limit on CPU time is the children's, not its own.
        shown: files that it may read too, and where it finds them; without isolation, where they are.

    Raises:
        SandboxError: what isolates is not installed.
    """

    def __init__(
        self, module: str, kind: Kind, limits: Limits, *, lives_on: bool = False, shown: Mapping[Path, str] = NOTHING
    ):
        own = rlimits(limits)
        own["RLIMIT_CPU"] += 1  # of the whole family it is counted from outside, which ends it before
        if kind.isolation == "rlimits":  # counts all that the user has
            own["RLIMIT_NPROC"] += threads_of_user(os.geteuid())
        settings: dict = {"limits": own, "uid": None}
        if lives_on:
            own["RLIMIT_CPU"] -= 1
            settings = {"limits": {k: v for k, v in own.items() if k != "RLIMIT_CPU"}, "child": own, "uid": None}
        self._folder: str | None = None
        command: list[str] = []
        environment = {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(checkout_paths())}
        with _filter(kind) as filter_from:
            if kind.isolation == "bubblewrap":
                settings["uid"] = None if kind.own_users else _user()
                command = bubblewrap(
                    limits.disk_mb * 2**20, own_users=kind.own_users, filter_from=filter_from, shown=shown
                )
                environment = {}
            else:
                self._folder = tempfile.mkdtemp(prefix="clearminds-")
                if kind.isolation == "apptainer":
                    skeleton(image := Path(self._folder, "image"), shown)
                    command = apptainer(image, shown=shown)
                    environment = {"PATH": os.environ.get("PATH", os.defpath)}
            ours, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    command + python(module, json.dumps(settings)),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    env=environment,
                    cwd=self._folder or "/",
                    start_new_session=True,
                    pass_fds=() if filter_from is None else (filter_from,),
                )
        self.connection = ours
        self.channel = Channel(ours.fileno())
        self._said = b""

    @property
    def pid(self) -> int:
        """The process that isolates, or the process itself."""
        return self._process.pid

    def ended(self, seconds: float = 0) -> int | None:
        """Its exit status as `subprocess` has it, waited for so long; None while it runs."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Kills it with all that it has started, from whatever thread, and does not wait."""
        if self._process.returncode is not None:
            return
        for pid in family(self.pid) if self._folder else []:  # without a namespace of theirs, some may have left
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kills it and clears up. The thread that started it calls this once."""
        self.kill()
        self._process.wait()
        self.connection.close()
        if self._process.stderr:
            os.set_blocking(self._process.stderr.fileno(), False)
            self._said = self._process.stderr.read() or b""
            self._process.stderr.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def said(self) -> str:
        """What it wrote before it took up its work, such as why it could not, once it has ended."""
        return " ".join(self._said.decode(errors="replace").split())[-300:]


def rlimits(limits: Limits) -> dict[str, int]:
    """The limits by their names in `resource`, in bytes, seconds and numbers."""
    return {
        "RLIMIT_AS": limits.memory_mb * 2**20,
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": math.ceil(limits.cpu_seconds),
        "RLIMIT_FSIZE": limits.disk_mb * 2**20,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_NOFILE": 64,
        "RLIMIT_NPROC": limits.processes,
    }


def _user() -> int:
    """A user that no other process of this machine is: no two of ours at a time, and no other's by our own number."""
    return 2**30 + os.getpid() * 256 + next(_count) % 256


@contextlib.contextmanager
def _filter(kind: Kind) -> Iterator[int | None]:
    program = system_call_filter() if kind.isolation == "bubblewrap" else None
    if program is None:
        yield None
        return
    reader, writer = os.pipe()
    try:
        with open(writer, "wb") as file:
            file.write(program)
        yield reader
    finally:
        os.close(reader)

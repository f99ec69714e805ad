"""What hostile programs are after: secrets, servers and files of this process, and what has become of them."""

import builtins
import contextlib
import ctypes
import os
import platform
import re
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
VARIABLE = "CLEARMINDS_HOSTILE_CANARY"
SHARED = [Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")]
# what a program leaves under a fixed name, to find it again
FIXED = {"clearminds-hostile-state"}
WATCHED_SIGNALS = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGIO, signal.SIGCONT]
# system calls that libc has no functions for, by their numbers on this machine
KNOWN_CALLS = platform.machine() == "x86_64"
ADD_KEY, KEYCTL, MQ_OPEN = 248, 250, 240
SESSION_KEYRING, JOIN, SEARCH = -3, 1, 10
libc = ctypes.CDLL(None, use_errno=True)


class Outside:
    """Canaries all around this process. A context manager, which takes them away again."""

    def __init__(self):
        self.secret = f"canary-{secrets.token_hex(16)}"
        self.nonce = secrets.token_hex(3)
        self.connections: list[str] = []
        self.received: list[int] = []
        self.keys = (secrets.randbits(30) | 1, secrets.randbits(30) | 2)

    def __enter__(self) -> "Outside":
        self._leave = contextlib.ExitStack()
        os.environ[VARIABLE] = self.secret
        self._leave.callback(os.environ.pop, VARIABLE)
        self._hide()
        self._serve()
        self.has_keyring = (
            KNOWN_CALLS
            and libc.syscall(KEYCTL, JOIN, None) > 0
            and (
                libc.syscall(
                    ADD_KEY, b"user", self.key.encode(), self.secret.encode(), len(self.secret), SESSION_KEYRING
                )
                > 0
            )
        )
        shared = libc.shmget(self.keys[0], 4096, 0o1600)
        self._leave.callback(libc.shmctl, shared, 0, None)
        open_file = os.open(self.hidden["home"], os.O_RDONLY)
        os.set_inheritable(open_file, True)
        self._leave.callback(os.close, open_file)
        # its arguments and environment hold the secret, as those of a login do
        holder = subprocess.Popen([sys.executable, "-I", "-c", "input()", self.secret], stdin=subprocess.PIPE)
        self._leave.callback(lambda: (holder.kill(), holder.communicate()))
        # the holder, and what other tests of this session have started
        self._earlier = {child.pid for child in psutil.Process().children(recursive=True)}
        libc.prctl(36, 1)  # what loses its parent becomes a child of this process, so that none escapes
        self._leave.callback(libc.prctl, 36, 0)
        for number in WATCHED_SIGNALS:
            self._leave.callback(signal.signal, number, signal.signal(number, lambda n, _: self.received.append(n)))
        self._before = self._state()
        return self

    def __exit__(self, *_) -> None:
        self._leave.close()

    @property
    def key(self) -> str:
        return f"clearminds-{self.nonce}"

    def mark(self, number: int) -> str:
        """A program's own word, short enough for a process' name."""
        return f"hm{self.nonce}{number:04}"

    def told(self, number: int) -> dict[str, object]:
        """All that the program of this number knows of the outside, by name."""
        return {
            "MARK": self.mark(number),
            "VARIABLE": VARIABLE,
            "PARENT": os.getpid(),
            "HOME": str(Path.home()),
            "REPOSITORY": str(ROOT),
            "HIDDEN": {name: str(place) for name, place in self.hidden.items()},
            "PORT": self._port,
            "SOCKET": str(self.hidden["tmp"].with_name("socket")),
            "ABSTRACT": self.key,
            "KEY": self.key,
            "TAKEN_KEY": self.keys[0],
            "IPC_KEY": self.keys[1],
        }

    def _hide(self) -> None:
        folders = {"home": Path.home(), "repository": ROOT / "results"}
        folders |= dict(zip(("tmp", "var", "memory"), SHARED, strict=True))
        self.hidden = {}
        for name, parent in folders.items():
            folder = Path(tempfile.mkdtemp(prefix=f"clearminds-{self.nonce}-", dir=parent))
            self._leave.callback(shutil.rmtree, folder, ignore_errors=True)
            folder.chmod(0o755)
            self.hidden[name] = folder / "canary"
            self.hidden[name].write_text(self.secret)

    def _serve(self) -> None:
        listening = [socket.create_server(("127.0.0.1", 0))]
        self._port = listening[0].getsockname()[1]
        for address in (str(self.hidden["tmp"].with_name("socket")), f"\0{self.key}"):
            listening.append(socket.socket(socket.AF_UNIX))
            listening[-1].bind(address)
            listening[-1].listen()
        self.hidden["tmp"].with_name("socket").chmod(0o777)
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("127.0.0.1", self._port))
        for server in listening:
            threading.Thread(target=self._answer, args=[server], daemon=True).start()
        threading.Thread(target=self._answer_datagrams, args=[datagrams], daemon=True).start()
        for server in (*listening, datagrams):
            self._leave.callback(server.close)
            self._leave.callback(_shut, server)

    def _answer(self, server: socket.socket) -> None:
        kind = "network" if server.family == socket.AF_INET else "sockets"
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                self.connections.append(kind)
                with connection, contextlib.suppress(OSError):
                    connection.sendall(self.secret.encode())

    def _answer_datagrams(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, address = server.recvfrom(1000)
                if not data:
                    return
                self.connections.append("network")
                server.sendto(self.secret.encode(), address)

    def _state(self) -> dict[str, dict[str, object]]:
        """What is compared as a whole, by kind."""
        limits = {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name[:7] == "RLIMIT_"}
        return {
            "environment": {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
            "parent": {
                "parent": os.getppid(),
                "folder": os.getcwd(),
                "users": os.getresuid(),
                "host": socket.gethostname(),
                "niceness": os.getpriority(os.PRIO_PROCESS, 0),
                "core pattern": Path("/proc/sys/kernel/core_pattern").read_text(),
                **limits,
            },
            "signals": {
                **{str(number): signal.getsignal(number) for number in signal.valid_signals()},
                "blocked": signal.pthread_sigmask(signal.SIG_BLOCK, []),
                "pending": signal.sigpending(),
                "received": list(self.received),
            },
            "tests": {"builtins": {name: id(value) for name, value in vars(builtins).items() if name != "_"}},
            "files": {
                str(place): (place.read_text(), place.stat().st_mode, place.stat().st_mtime_ns)
                if place.exists()
                else None
                for place in self.hidden.values()
            },
            "network": {"connections": self.connections.count("network")},
            "sockets": {"connections": self.connections.count("sockets")},
        }

    def changes(self, marks: Iterable[str]) -> dict[str, list[str]]:
        """What has changed since the beginning, by kind; what a program left behind is named with its mark."""
        now = self._state()
        found = {
            kind: [
                f"{name}: {before[name]!r} is {now[kind].get(name)!r}"
                for name in before
                if before[name] != now[kind].get(name)
            ]
            for kind, before in self._before.items()
        }
        words = re.compile("|".join(map(re.escape, [*marks, *FIXED])))
        found["files"] += self._files(words)
        found["processes"] = _gone(words)
        found["keyring"] = self._keyring(marks)
        found["shared memory"] = self._shared_memory(marks) + [place for place in found["files"] if "/dev/shm" in place]
        found["disk"] = [place for place in found["files"] if Path(place).exists()]
        found["memory"] = found["processes"] + found["shared memory"]
        return found

    def _files(self, words: re.Pattern) -> list[str]:
        places = [place for folder in SHARED for place in [folder / "colorsys.py", folder / "sparse"] if place.exists()]
        found = list(map(str, places))
        for folder in ("/", "/etc", "/run", "/usr", "/usr/lib", "/opt", "/srv", "/var", "/dev", os.getcwd()):
            found += [f"{folder}/{name}" for name in os.listdir(folder) if words.search(name)]
        for root in {
            *map(str, SHARED),
            str(Path.home()),
            str(ROOT),
            sys.prefix,
            sys.base_prefix,
            tempfile.gettempdir(),
        }:
            for folder, folders, names in os.walk(root):
                found += [f"{folder}/{name}" for name in (*folders, *names) if words.search(name)]
        return sorted(set(found))

    def processes_of(self, marks: Iterable[str]) -> list[str]:
        """Running processes that bear one of these marks as their name."""
        wanted = set(marks)
        return [
            f"{process.pid} {process.info['name']}"
            for process in psutil.process_iter(["name"])
            if process.info["name"] in wanted
        ]

    def _keyring(self, marks: Iterable[str]) -> list[str]:
        if not self.has_keyring:
            return []
        rings = (SESSION_KEYRING, -4, -5)
        return [
            m for m in marks if any(libc.syscall(KEYCTL, SEARCH, ring, b"user", m.encode(), 0) > 0 for ring in rings)
        ]

    def _shared_memory(self, marks: Iterable[str]) -> list[str]:
        found = [m for m in marks if KNOWN_CALLS and libc.syscall(MQ_OPEN, m.encode(), 0, 0, None) >= 0]
        for kind in ("shm", "sem", "msg"):
            lines = Path("/proc/sysvipc", kind).read_text().splitlines()[1:]
            found += [f"{kind} {self.keys[1]}" for line in lines if int(line.split()[0]) == self.keys[1]]
        return found

    def descendants(self) -> list[str]:
        """Processes that this one, or one of its, has started since and not ended."""
        left = []
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.pid not in self._earlier and process.status() != psutil.STATUS_ZOMBIE:
                    left.append(f"{process.pid} {' '.join(process.cmdline())[:200]}")
        return left


def _processes(words: re.Pattern) -> list[str]:
    """Running processes with one of these words in their name or arguments."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            said = " ".join([process.name(), *process.cmdline()])
            if words.search(said) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {said}")
    return found


def _gone(words: re.Pattern) -> list[str]:
    """Those of them that are still there after a moment, which a killed one may take."""
    for _ in range(20):
        if not (found := _processes(words)):
            break
        time.sleep(0.1)
    return found


def _shut(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        server.shutdown(socket.SHUT_RDWR)

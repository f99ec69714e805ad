"""What keeps jobs from harming one another: one writer per result, no job that outlives its workflow, clean stops.

The workflow puts its process id into the environment of its jobs. A job whose workflow was killed would go on writing,
hold its GPU, and meet the job that is started in its place.
"""

import fcntl
import json
import logging
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from clearminds.errors import UserError

log = logging.getLogger("clearminds.job")

RUN = "CLEARMINDS_RUN"  # environment: process id of the Snakemake that started the job
WRITER_SECONDS = 20.0  # that a job waits for a former writer to stop, which needs a few
SHUTDOWN_SECONDS = 5.0  # from a signal to the end, for a job that is deep in a long computation

_held: list[int] = []  # open locks: the kernel frees them with the process, however it ends
_before_forced_exit: list[Callable[[int], None]] = []


class Stopped(KeyboardInterrupt):
    """SIGTERM came, from a scheduler or because the workflow is gone."""


class AnotherWriter(UserError):
    """Another process is writing the result."""


def only_writer(folder: Path, result: str, seconds: float = WRITER_SECONDS) -> None:
    """Become the only writer of a result until this process ends.

    Args:
        folder: where the lock is.
        result: what an error calls the result.
        seconds: how long to wait for another writer.

    Raises:
        AnotherWriter: another process is still writing it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "writer"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > end:
                os.close(handle)
                raise AnotherWriter(
                    f"{result}: another job is writing it ({_who(path)}); wait for it or stop it, then run again"
                ) from None
            time.sleep(0.2)
        except OSError as error:
            # a few network file systems have no locks; a study there is run by one workflow at a time, as everywhere
            log.warning("%s cannot be locked (%s): no guard against a second writer", path, error.strerror)
            break
    try:
        os.ftruncate(handle, 0)
        os.write(handle, json.dumps(_me()).encode())
    except OSError as error:  # a full disk, which an error without a name would not tell
        error.filename = str(path)
        raise
    _held.append(handle)


def _me() -> dict:
    job = os.environ.get("SLURM_JOB_ID")
    return {"process": os.getpid(), "host": socket.gethostname(), **({"SLURM job": job} if job else {})}


def _who(path: Path) -> str:
    try:
        return ", ".join(f"{key} {value}" for key, value in json.loads(path.read_text(encoding="utf-8")).items())
    except (OSError, ValueError):
        return f"it holds {path}"


def watch() -> None:
    """Watch, from the job's first line on, for the end of its workflow and for signals that are not answered.

    Python handles a signal only between two of its instructions, and a product of large matrices is one: so a thread
    is told of signals too, and ends a process that has not stopped after `SHUTDOWN_SECONDS`. Results are written under
    temporary names, so nothing half-made is left under a real one.
    """
    read_end, write_end = os.pipe()
    for end in (read_end, write_end):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    # one of several processes of a training has its launcher for a parent, even where no workflow started that
    watched = RUN in os.environ or "LOCAL_RANK" in os.environ
    threading.Thread(target=_watch, args=(read_end, os.getppid() if watched else None), daemon=True).start()
    end_at_once()  # until the job's launcher answers signals (`stop_cleanly`)


def end_at_once() -> None:
    """Let Ctrl-C end this process without a traceback, while there is nothing to clean up.

    Not by SIG_DFL: Polars, once imported, hands a signal on to a handler of Python's, and to no default.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # what started it may have it ignored
        signal.signal(signal.SIGINT, _end)


def _end(number, frame) -> None:
    os._exit(128 + number)


def stop_cleanly() -> None:
    """Let SIGTERM end this job like Ctrl-C does, by an exception, so that it can say so and clean up."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def before_forced_exit(call: Callable[[int], None]) -> None:
    """Call a function, from the watching thread, before it ends a job that did not stop. Args: takes the exit code."""
    _before_forced_exit.append(call)


def ignore_further_signals() -> None:
    """Ignore further signals while shutting down: a second Ctrl-C would only interrupt the cleaning up."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def _stop(number, frame) -> None:
    raise Stopped


def _watch(read_end: int, parent: int | None) -> None:
    run = int(os.environ.get(RUN, os.getpid()))
    while True:
        readable, _, _ = select.select([read_end], [], [], 1.0)
        if readable:
            numbers = set(os.read(read_end, 16)) & {signal.SIGTERM, signal.SIGINT}
            if numbers:
                time.sleep(SHUTDOWN_SECONDS)
                _exit(128 + numbers.pop())
        elif parent and (os.getppid() != parent or not _alive(run)):
            log.error("error: what started this job is gone: stopping; `make resume` goes on")
            os.kill(os.getpid(), signal.SIGTERM)


def _exit(code: int) -> None:
    try:
        for call in _before_forced_exit:
            call(code)
    finally:
        os._exit(code)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

"""What a signal does to a run: it ends at once and silently before it has begun, and with its jobs afterwards."""

import os
import signal
import sys
import threading

from clearminds.job import guard

_stopped_by: list[int] = []

RETRY_SECONDS = 0.05


class _Stopped(KeyboardInterrupt):
    """What a signal raises: to Snakemake a Ctrl-C.

    A plain one that passes through a text being executed (as where a dataclass is made) has Python end the process by
    SIGINT in the end, whatever exit code it then asks for.
    """


def end_at_once() -> None:
    """Let Ctrl-C end this process without a traceback: call before the imports, while there is nothing to clean up."""
    if _is_main():
        guard.end_at_once()


def as_usual() -> None:
    """Let Ctrl-C raise a KeyboardInterrupt again."""
    if _is_main() and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def stop_cleanly() -> None:
    """Let SIGTERM and SIGINT end the run and its jobs within seconds, by a KeyboardInterrupt.

    Snakemake answers SIGTERM by waiting for the jobs that run, which may take hours, and sets its own handler before
    the first job starts; and SIGINT reaches the jobs only when it comes from a terminal.
    """
    if _is_main():  # others cannot handle signals; their caller does
        signal.signal(signal.SIGTERM, _stop)
        signal.signal(signal.SIGINT, _stop)


def stopped_by() -> int | None:
    """The signal that has stopped the run; None: it was not stopped."""
    return _stopped_by[0] if _stopped_by else None


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def _stop(number, frame) -> None:
    import psutil

    _stopped_by.append(number)
    for ignored in (signal.SIGTERM, signal.SIGINT):  # a second one would interrupt the cleaning up
        signal.signal(ignored, signal.SIG_IGN)
    for child in psutil.Process().children(recursive=True):
        try:
            child.send_signal(signal.SIGTERM)
        except psutil.NoSuchProcess:
            continue
    os.write(sys.stderr.fileno(), b"stopping: the jobs were told to end\n")  # print may be in the middle of a line
    _interrupt(number, frame)


def _interrupt(number, frame) -> None:
    """Raise a KeyboardInterrupt; later, where Snakemake's log is being written, which drops it."""
    while frame is not None:
        if frame.f_code.co_name == "emit":
            signal.signal(signal.SIGALRM, _interrupt)
            signal.setitimer(signal.ITIMER_REAL, RETRY_SECONDS)
            return
        frame = frame.f_back
    raise _Stopped

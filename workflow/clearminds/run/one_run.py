"""A run of the workflow: the only one in its folder, and watched by its jobs.

Snakemake's own lock outlives a kill and does not say whose it is; this one is freed by the kernel.
"""

import fcntl
import os
import sys
from pathlib import Path

from clearminds.errors import UserError
from clearminds.files.digests import digest
from clearminds.files.tables import write_json
from clearminds.job.guard import RUN
from clearminds.reuse.job_memory import read_record

LOCK = Path(".snakemake/clearminds.run")
STUDY = Path(".snakemake/clearminds.study.json")  # digest per block of the config when the run began


def begin(study: dict) -> None:
    """Become the only run in this folder, and record for its jobs how the config was when it began.

    Args:
        study: its config.

    Raises:
        UserError: another run is going on here.
    """
    os.environ[RUN] = str(os.getpid())
    if (other := take_lock()) is not None:
        raise UserError(
            f"another run (process {other}) is going on in {Path.cwd()}; wait for it or stop it, or give this study a "
            "folder of its own: --directory FOLDER"
        )
    write_json(STUDY, _blocks(study))


def begin_on_node(study: dict) -> None:
    """Take the run's place on a cluster's node, where its process id means another process or none.

    Args:
        study: the config as this node reads it.

    Raises:
        UserError: it is not what the run began with: its results would be taken for those of the former settings.
    """
    os.environ[RUN] = str(os.getpid())
    before = read_record(STUDY) or {}
    changed = [key for key, value in _blocks(study).items() if before and before.get(key) != value]
    if changed:
        raise UserError(
            f"{', '.join(changed)} of the config changed after this job was submitted; start the workflow again"
        )


def _blocks(study: dict) -> dict[str, str]:
    """Digest per block of a config, but of how to run, which changes no result."""
    return {key: digest(value) for key, value in study.items() if key != "runtime"}


def take_lock() -> str | None:
    """Take this folder's lock until the process ends; the holder's process id where it is taken."""
    LOCK.parent.mkdir(exist_ok=True)
    handle = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o666)  # never closed: the kernel frees it with the process
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        found = os.read(handle, 32).decode() or "unknown"
        os.close(handle)
        return found
    except OSError as error:  # a few network file systems have no locks; jobs say so of theirs, too (guard.only_writer)
        if (last := _last()) != str(os.getpid()):  # else it was said before, by `make resume`
            print(
                f"warning: {LOCK} cannot be locked ({error.strerror}), so that no other run in {Path.cwd()} would be "
                f"noticed: make sure that there is none (the last one was process {last})",
                file=sys.stderr,
            )
    os.ftruncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    os.fsync(handle)  # else a network file system may give it the time of a later moment (`make watch`)
    os.set_inheritable(handle, False)
    return None


def _last() -> str:
    return LOCK.read_text(encoding="utf-8", errors="replace").strip() or "unknown"


def alive() -> bool | None:
    """Whether a run is going on in this folder; None: the file system has no locks, so nobody can tell."""
    try:
        handle = os.open(LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(handle)
    return False

"""A GPU of its own for each job on a workstation: `take_devices(1)` before anything imports torch.

Snakemake only counts GPUs and tells no job which one it has. Here a job takes an advisory lock on a free device, holds
it for as long as it lives, and shows itself no other one. The kernel frees the lock however the job dies. Jobs of other
runs and other users respect it too: locks are in `clearminds-devices/` in a folder that is the same for all of them.
"""

import fcntl
import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import SystemRandom
from urllib.parse import quote

from clearminds.errors import UserError
from clearminds.job.finding_devices import Device, allocation_id, offered

# the first is emptied by a restart only; the second loses what is old
SHARED = (Path("/run/lock"), Path("/tmp"))

_held: dict[str, int] = {}  # device id to the open file that has its lock, for the life of the process


def take_devices(count: int) -> list[str]:
    """Take devices for this process, waiting until enough are free, and show it only these.

    Does nothing in the workers of torchrun, whose parent holds theirs, and where a scheduler has chosen what the job
    asks for. In an allocation of more, in which a whole workflow runs, jobs share out what the scheduler shows them.

    Args:
        count: how many; 0 hides every device, so that the job runs on the CPU.

    Returns:
        the ids that CUDA_VISIBLE_DEVICES now has; empty where nothing was chosen.

    Raises:
        UserError: this machine, or the user's CUDA_VISIBLE_DEVICES, has fewer; or locks cannot be taken.
    """
    if "LOCAL_RANK" in os.environ:
        return []
    if _held:
        return list(_held)  # a second lock on one's own device would wait forever
    if count == 0:
        # an allocation that names no device may be on a machine that shows its own to everybody
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return []
    chosen, devices = os.environ.get("CUDA_VISIBLE_DEVICES"), offered()
    if allocation_id() and len(devices) in (0, count):
        return []
    if len(devices) < count:
        where = "on this machine" if chosen is None else f'in CUDA_VISIBLE_DEVICES="{chosen}"'
        found = f"{len(devices)} device{'' if len(devices) == 1 else 's'} {where}"
        fitting = f"{len(devices)} or lower" if devices else "0"
        raise UserError(
            f"runtime: gpus: asked {count}, found {found}; set runtime: gpus to {fitting} (0 runs on the CPU)"
        )
    try:
        _held.update(_wait_for(devices, count))
    except OSError as error:
        raise UserError(
            f"{error.filename or 'the folder for temporary files'}: cannot lock GPUs there ({error.strerror}); see "
            "that this user can write there and that it is a local disk, or set runtime: gpus to 0 (runs on the CPU)"
        ) from error
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(_held)
    if chosen is None:
        os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # our numbers are places in this order, CUDA's own go by speed
    return list(_held)


def require_devices(count: int) -> None:
    """Refuse to run a job on the CPU that asked for GPUs: a driver or a build of torch that sees none says nothing.

    Raises:
        UserError: torch sees fewer than `count`.
    """
    if count == 0 or "CLEARMINDS_DEVICES" in os.environ:
        return
    import torch

    if (seen := torch.cuda.device_count()) < count:
        raise UserError(
            f"runtime: gpus: {count} asked, but torch {torch.__version__} sees {seen} "
            f"(CUDA_VISIBLE_DEVICES={os.environ.get('CUDA_VISIBLE_DEVICES', '')!r}); install a build of torch for this "
            "driver, or set runtime: gpus to 0 (runs on the CPU)"
        )


# --- taking them ------------------------------------------------------------------------------------------------------


def _wait_for(devices: list[Device], count: int) -> dict[str, int]:
    told = False
    while True:
        taken, busy = _attempt(devices, count)
        if taken:
            return taken
        if not told:
            what = "a free GPU" if count == 1 else f"{count} free GPUs"
            holders = ", ".join(f"{device.id} held by {_holder(device)}" for device in busy)
            print(f"waiting for {what}: {holders}", file=sys.stderr, flush=True)
            told = True
        # not in step with others that want the same; a generator of its own moves no seeded one
        time.sleep(SystemRandom().uniform(0.4, 0.6))


def _attempt(devices: list[Device], count: int) -> tuple[dict[str, int], list[Device]]:
    """All of `count` devices or none, so that no two jobs wait for one another; and those found busy."""
    taken: dict[str, int] = {}
    busy: list[Device] = []
    for device in devices:
        if len(devices) - len(busy) < count:
            break
        handle = _open(_lock_file(device))
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            busy.append(device)
            continue
        taken[device.id] = handle
        if len(taken) == count:
            for held in taken.values():
                _sign(held)
            return taken, []
    for handle in taken.values():
        os.close(handle)
    return {}, busy


def _folder() -> Path:
    """Where the locks are: TMPDIR may be each user's own, so it counts only where no folder is everybody's.

    Pretended devices are no machine's and are locked in TMPDIR.
    """
    shared = () if "CLEARMINDS_DEVICES" in os.environ else (place for place in SHARED if _is_everybody_s(place))
    return next(iter(shared), Path(tempfile.gettempdir())) / "clearminds-devices"


def _is_everybody_s(place: Path) -> bool:
    """By its mode, not by what this user may do: root must choose the same folder as the others."""
    with suppress(OSError):
        return place.stat().st_mode & 0o1777 == 0o1777 and os.access(place, os.W_OK)
    return False


def _lock_file(device: Device) -> Path:
    return _folder() / f"{quote(device.name, safe='')}.lock"


@contextmanager
def _shared_with_all() -> Iterator[None]:
    """Folders and files made meanwhile get exactly the permissions asked for, at once."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    with suppress(FileNotFoundError):
        return os.open(path, flags)  # the kernel may refuse O_CREAT on another user's file in a sticky folder
    with _shared_with_all():
        with suppress(FileExistsError):
            os.mkdir(path.parent, 0o1777)
        with suppress(FileExistsError):
            return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
    return os.open(path, flags)


def _sign(handle: int) -> None:
    with suppress(OSError):  # the signature is only for messages; a full disk breaks no lock
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)


def _holder(device: Device) -> str:
    """Who signed the lock; other users write these files too, so only what looks like a signature is shown."""
    with suppress(OSError):
        signed = re.fullmatch(rb"(\d{1,10}) ([A-Za-z0-9._-]{1,255})\n", _lock_file(device).read_bytes()[:300])
        if signed:
            pid, host = (part.decode() for part in signed.groups())
            return f"pid {pid}" if host == socket.gethostname() else f"pid {pid} on {host}"
    return "another process"

"""A GPU of its own for each job on a workstation: `take_devices(1)` before anything imports torch.

Snakemake only counts GPUs and tells no job which one it has. Here a job takes an advisory lock on a free device, holds
it for as long as it lives, and shows itself no other one. The kernel frees the lock however the job dies. Jobs of other
runs and other users respect it too: locks are in `clearminds-devices/` in the machine's folder for temporary files.
"""

import fcntl
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from urllib.parse import quote

from clearminds.errors import UserError

SCHEDULERS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID")
DRIVER = Path("/proc/driver/nvidia/gpus")
NODES = Path("/dev")

_held: dict[str, int] = {}  # device id to the open file that has its lock, for the life of the process


@dataclass(frozen=True)
class Device:
    """A device as CUDA_VISIBLE_DEVICES calls it (`id`), and as this machine does whatever a user calls it (`name`)."""

    id: str
    name: str
    uuid: str = ""


def take_devices(count: int) -> list[str]:
    """Take devices for this process, waiting until enough are free, and show it only these.

    Does nothing in the workers of torchrun, whose parent holds theirs, and where a scheduler has chosen what the job
    asks for. In an allocation of more, in which a whole workflow runs, jobs share out what the scheduler shows them.
    The environment variable CLEARMINDS_DEVICES ("0,1") pretends devices, for tests.

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
    chosen, allocation = os.environ.get("CUDA_VISIBLE_DEVICES"), _allocation()
    shown = _allocated(allocation, chosen or "")
    if allocation and (not shown or len(shown) == count):
        return []
    if count == 0:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return []
    devices = shown if allocation else _machine() if chosen is None else _visible(chosen)
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
            f"{error.filename or 'the folder for temporary files'}: cannot lock GPUs there ({error.strerror}); set "
            "TMPDIR to a folder on a local disk that this user can write to, or runtime: gpus to 0 (runs on the CPU)"
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


def _allocation() -> str | None:
    """The scheduler's job that this process runs in, if any."""
    grid_engine = ["JOB_ID"] if any(name.startswith("SGE_") for name in os.environ) else []
    return next((os.environ[name] for name in [*SCHEDULERS, *grid_engine] if name in os.environ), None)


def _allocated(allocation: str | None, chosen: str) -> list[Device]:
    """The devices of an allocation. Its numbers may count within it, so each is known by both."""
    ids = dict.fromkeys(part.strip() for part in chosen.split(",") if part.strip() not in ("", "NoDevFiles"))
    return [Device(part, f"{allocation}-{part}") for part in ids]


# --- which devices there are ------------------------------------------------------------------------------------------


def _machine() -> list[Device]:
    """The devices of this machine, in the order of their bus."""
    pretended = os.environ.get("CLEARMINDS_DEVICES")
    if pretended is not None:
        return [Device(part.strip(), part.strip()) for part in pretended.split(",") if part.strip()]
    return _told_by_driver() or _told_by_nodes() or _told_by_nvidia_smi()


def _told_by_driver() -> list[Device]:
    found: list[Device] = []
    for folder in sorted(DRIVER.glob("*")):
        with suppress(OSError):
            text = (folder / "information").read_text(encoding="utf-8", errors="replace")
            facts = {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in text.splitlines())}
            # a container sees every device of the driver here, but has nodes for its own only
            if (NODES / f"nvidia{facts.get('Device Minor')}").exists() and facts.get("GPU Excluded") != "Yes":
                found.append(Device(str(len(found)), folder.name, facts.get("GPU UUID", "")))
    return found


def _told_by_nodes() -> list[Device]:
    if DRIVER.is_dir():
        return []
    minors = sorted(int(node.name[6:]) for node in NODES.glob("nvidia*") if re.fullmatch(r"nvidia\d+", node.name))
    return [Device(str(place), f"nvidia{minor}") for place, minor in enumerate(minors)]


def _told_by_nvidia_smi() -> list[Device]:
    """The last resort: it loads a driver that may not have been loaded since the start, and knows WSL's devices."""
    with suppress(OSError, subprocess.SubprocessError):
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60).stdout
        again = _told_by_driver()
        lines = re.findall(r"^GPU (\d+): .*\(UUID: (\S+)\)", listed, flags=re.MULTILINE)
        return again or [Device(index, index, uuid) for index, uuid in lines]
    return []


def _visible(chosen: str) -> list[Device]:
    """The devices of CUDA_VISIBLE_DEVICES, read as CUDA reads it: what comes after an unknown id counts as absent."""
    machine = _machine()
    found: dict[str, Device] = {}
    for part in (part.strip() for part in chosen.split(",")):
        if part.isdigit():
            if machine and int(part) >= len(machine):
                break
            name = machine[int(part)].name if machine else part
        elif not part or part.startswith("-") or part == "NoDevFiles":
            break
        else:
            same = [device.name for device in machine if device.uuid.startswith(part)]
            name = same[0] if len(same) == 1 else part
        found.setdefault(name, Device(part, name))
    return list(found.values())


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
    return Path(tempfile.gettempdir(), "clearminds-devices")


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

"""Which NVIDIA GPUs there are: on this machine, of those the ones that CUDA_VISIBLE_DEVICES names, or in an allocation.

Nothing here imports torch or starts the driver's library: a job must be able to choose before either is loaded.
"""

import os
import re
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

SCHEDULERS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID")
NVIDIA_PROC = Path("/proc/driver/nvidia/gpus")
NODES = Path("/dev")


@dataclass(frozen=True)
class Device:
    """A device as CUDA_VISIBLE_DEVICES calls it (`id`), and as this machine does whatever a user calls it (`name`).

    `model` is what its maker calls it, where the driver tells.
    """

    id: str
    name: str
    uuid: str = ""
    model: str = field(default="", compare=False)


def offered() -> list[Device]:
    """The devices that jobs may take: those of the allocation, of CUDA_VISIBLE_DEVICES, or of this machine."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allocation := allocation_id():
        return _allocated(allocation, chosen or "")
    return machine() if chosen is None else _visible(chosen)


def allocation_id() -> str | None:
    """The scheduler's job that this process runs in, if any."""
    grid_engine = ["JOB_ID"] if any(name.startswith("SGE_") for name in os.environ) else []
    return next((os.environ[name] for name in [*SCHEDULERS, *grid_engine] if name in os.environ), None)


def _allocated(allocation: str, chosen: str) -> list[Device]:
    """The devices of an allocation. Its numbers may count within it, so each is known by both."""
    ids = dict.fromkeys(part.strip() for part in chosen.split(",") if part.strip() not in ("", "NoDevFiles"))
    return [Device(part, f"{allocation}-{part}") for part in ids]


def machine() -> list[Device]:
    """The devices of this machine, in the order of their bus.

    The environment variable CLEARMINDS_DEVICES ("0,1") pretends devices, for tests.
    """
    pretended = os.environ.get("CLEARMINDS_DEVICES")
    if pretended is not None:
        return [Device(part.strip(), part.strip()) for part in pretended.split(",") if part.strip()]
    return _told_by_driver() or _told_by_nodes() or _told_by_nvidia_smi()


def _told_by_driver() -> list[Device]:
    found: list[Device] = []
    for folder in sorted(NVIDIA_PROC.glob("*")):
        with suppress(OSError):
            text = (folder / "information").read_text(encoding="utf-8", errors="replace")
            facts = {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in text.splitlines())}
            # a container sees every device of the driver here, but has nodes for its own only
            if (NODES / f"nvidia{facts.get('Device Minor')}").exists() and facts.get("GPU Excluded") != "Yes":
                found.append(Device(str(len(found)), folder.name, facts.get("GPU UUID", ""), facts.get("Model", "")))
    return found


def _told_by_nodes() -> list[Device]:
    if NVIDIA_PROC.is_dir():
        return []
    minors = sorted(int(node.name[6:]) for node in NODES.glob("nvidia*") if re.fullmatch(r"nvidia\d+", node.name))
    return [Device(str(place), f"nvidia{minor}") for place, minor in enumerate(minors)]


def _told_by_nvidia_smi() -> list[Device]:
    """The last resort: it loads a driver that may not have been loaded since the start, and knows WSL's devices."""
    with suppress(OSError, subprocess.SubprocessError):
        _, listed = answer(["nvidia-smi", "-L"])
        again = _told_by_driver()
        lines = re.findall(r"^GPU (\d+): (.*) \(UUID: (\S+)\)", listed, flags=re.MULTILINE)
        return again or [Device(index, index, uuid, model) for index, model, uuid in lines]
    return []


def answer(command: Sequence[str], seconds: float = 60) -> tuple[int, str]:
    """The exit code of a program that asks the driver, and what it prints.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it has not ended in time. It is not waited for: a driver that hangs lets nobody kill
            what has called it.
    """
    asked = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        said, _ = asked.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        asked.kill()
        raise
    return asked.returncode, said


def _visible(chosen: str) -> list[Device]:
    """The devices of CUDA_VISIBLE_DEVICES, read as CUDA reads it: what comes after an unknown id counts as absent."""
    there = machine()
    found: dict[str, Device] = {}
    for part in (part.strip() for part in chosen.split(",")):
        same: list[Device] = []
        if part.isdigit():
            if there and int(part) >= len(there):
                break
            same = there[int(part) : int(part) + 1]
        elif not part or part.startswith("-") or part == "NoDevFiles":
            break
        else:
            same = [device for device in there if device.uuid.startswith(part)]
            # parts of a split GPU have ids of their own
            if not same and not part.startswith("MIG-") and any(device.uuid for device in there):
                break
        name, model = (same[0].name, same[0].model) if len(same) == 1 else (part, "")
        found.setdefault(name, Device(part, name, model=model))
    return list(found.values())

"""Why a GPU of this machine cannot be used: torch's build, its driver, its maker. Nothing here imports torch."""

import ast
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from clearminds.job.finding_devices import answer

PCI = Path("/sys/bus/pci/devices")
NVIDIA, AMD = "0x10de", "0x1002"
DISPLAY, ACCELERATOR = "0x03", "0x12"  # classes of PCI devices that GPUs have

# what wheels of torch for a major version of CUDA have kernels for: since 13 none for Maxwell, Pascal and Volta
NEEDS = (13, (7, 5))

# in a process of its own, as the driver's library cannot be unloaded and takes memory of every device
ASK_DRIVER = """
import ctypes
driver, number, name = ctypes.CDLL("libcuda.so.1"), ctypes.c_int(), ctypes.create_string_buffer(256)
def told(ask, *what):
    ask(ctypes.byref(number), *what)
    return number.value
started = driver.cuInit(0)
print(started, told(driver.cuDriverGetVersion))
for place in range(0 if started else told(driver.cuDeviceGetCount)):
    device = told(driver.cuDeviceGet, place)
    driver.cuDeviceGetName(name, 256, device)
    major, minor = (told(driver.cuDeviceGetAttribute, which, device) for which in (75, 76))
    print(major, minor, name.value.decode(errors="replace"))
"""


def not_built() -> str | None:
    """Why the torch of this interpreter is built for no GPU at all, and the remedy; None: it is, or is not there.

    Starts nothing. Pretended devices (CLEARMINDS_DEVICES) are not looked at.
    """
    if "CLEARMINDS_DEVICES" in os.environ or (torch := torch_build()) is None or torch[1] is not None:
        return None
    version = torch[0]
    # pip takes a release of the right number for the one asked, whatever is behind its +
    again = f"pip uninstall -y torch && pip install torch=={version.partition('+')[0]}"
    return f"the installed torch {version} is not built for them: {again}"


def unusable() -> str | None:
    """Why the torch of this interpreter cannot use the GPUs that there are, and the remedy; None: nothing is known.

    Asks the driver, in a process. Pretended devices (CLEARMINDS_DEVICES) are not looked at.
    """
    if (reason := not_built()) is not None:
        return reason
    if "CLEARMINDS_DEVICES" in os.environ or (torch := torch_build()) is None:
        return None
    version, cuda = torch
    if cuda is None:
        return None
    release, major = version.partition("+")[0], int(cuda.partition(".")[0])
    try:
        failed, said = answer([sys.executable, "-I", "-c", ASK_DRIVER])
    except subprocess.TimeoutExpired as late:
        return f"their driver has not answered within {late.timeout:g} seconds: see nvidia-smi; restart the machine"
    except OSError:
        return None
    if failed or not said:
        return "their driver's library libcuda.so.1 cannot be loaded: install the driver, or show it to the container"
    (started, supported), *devices = (line.split(" ", 2) for line in said.splitlines())
    if int(supported) and int(supported) // 1000 < major:
        has = int(supported) // 1000
        return (
            f"their driver is for CUDA {has}.{int(supported) % 1000 // 10} and torch {version} for {cuda}: install a "
            f"newer driver, or a build of torch for CUDA {has} (https://pytorch.org)"
        )
    if int(started):
        return f"their driver does not start (cuInit gives {started}): see nvidia-smi; restart after a driver's update"
    return _too_old(devices, release, major)


def _too_old(devices: Sequence[Sequence[str]], release: str, cuda: int) -> str | None:
    """Which devices torch has no kernels for. Args: parts of the compute capability, and name, of each; torch's."""
    since, needed = NEEDS
    old = {name: capability for *capability, name in devices if tuple(map(int, capability)) < needed}
    if cuda < since or not old:
        return None
    named = ", ".join(f"{name} (compute capability {'.'.join(capability)})" for name, capability in old.items())
    remedy = f"install a build of torch for CUDA {since - 1}"
    if len(old) < len({name for *_, name in devices}):
        remedy += ", or set CUDA_VISIBLE_DEVICES to the other GPUs"
    return f"{named}: torch {release} for CUDA {cuda} needs {'.'.join(map(str, needed))}; {remedy}"


def torch_build() -> tuple[str, str | None] | None:
    """The version of torch and of the CUDA that it was built for, None where for none; None where torch is not there.

    Read from `torch/version.py`: importing torch takes seconds.
    """
    found = find_spec("torch")
    if found is None or not found.submodule_search_locations:
        return None
    values: dict[str, object] = {}
    try:
        tree = ast.parse(Path(found.submodule_search_locations[0], "version.py").read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return None
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(target, ast.Name):
            values[target.id] = node.value.value if isinstance(node.value, ast.Constant) else None
    version = values.get("__version__")
    if not isinstance(version, str) or "cuda" not in values:
        return None
    return version, cuda if isinstance(cuda := values["cuda"], str) else None


def others() -> str | None:
    """What GPUs there are beside those that a driver of NVIDIA's shows, and why they are not used; None: none is seen.

    An AMD graphics unit that is a part of the processor counts too.
    """
    if platform.system() == "Darwin":
        return "that of Apple is not used: only NVIDIA's are" if platform.machine() == "arm64" else None
    makers = set()
    with suppress(OSError):
        for device in PCI.iterdir():
            with suppress(OSError):
                kind = (device / "class").read_text()
                if kind.startswith((DISPLAY, ACCELERATOR)):
                    makers.add((device / "vendor").read_text().strip())
    if NVIDIA in makers:
        return (
            "one of NVIDIA's is in this machine, but no driver shows it: install its driver, or start the container "
            "with it, as docker run --gpus all does"
        )
    return "one of AMD's is not used: only NVIDIA's are" if AMD in makers else None

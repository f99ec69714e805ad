"""Why a GPU of this machine cannot be used: torch's build, its driver, its maker. Nothing here imports torch."""

import ast
import os
import platform
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

PCI = Path("/sys/bus/pci/devices")
NVIDIA, AMD = "0x10de", "0x1002"
DISPLAY, ACCELERATOR = "0x03", "0x12"  # classes of PCI devices that GPUs have

# in a process of its own, as the driver's library cannot be unloaded and takes memory of every device
DRIVER = """
import ctypes
driver, version = ctypes.CDLL("libcuda.so.1"), ctypes.c_int()
started = driver.cuInit(0)
driver.cuDriverGetVersion(ctypes.byref(version))
print(started, version.value)
"""


def unusable() -> str | None:
    """Why the torch of this interpreter cannot use the GPUs that there are, and the remedy; None: nothing is known.

    Pretended devices (CLEARMINDS_DEVICES) are not looked at.
    """
    if "CLEARMINDS_DEVICES" in os.environ or (torch := torch_build()) is None:
        return None
    version, cuda = torch
    release = version.partition("+")[0]
    if cuda is None:
        # pip takes a release of the right number for the one asked, whatever is behind its +
        again = f"pip uninstall -y torch && pip install torch=={release}"
        return f"the installed torch {version} is not built for them: {again}"
    try:
        asked = subprocess.run([sys.executable, "-I", "-c", DRIVER], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    answer = asked.stdout.split()
    if asked.returncode or len(answer) != 2:
        return "their driver's library libcuda.so.1 cannot be loaded: install the driver, or show it to the container"
    started, supported = int(answer[0]), int(answer[1])
    if supported and supported // 1000 < int(cuda.partition(".")[0]):
        has = f"{supported // 1000}.{supported % 1000 // 10}"
        return (
            f"their driver is for CUDA {has} and torch {version} for {cuda}: install a newer driver, or the build of "
            f"torch {release} for CUDA {has} (https://pytorch.org)"
        )
    if started:
        return f"their driver does not start (cuInit gives {started}): see nvidia-smi; restart after a driver's update"
    return None


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

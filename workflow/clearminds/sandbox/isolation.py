"""The command that starts a Python process in isolation, one function a kind of isolation."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from clearminds.errors import UserError

ISOLATIONS = ("bubblewrap", "apptainer", "rlimits")
# what programs and tests may import beyond the standard library, where this environment has it
LIBRARIES = ("numpy", "numpy.libs")
_CODE = "/sandbox"
_INSIDE = "clearminds/sandbox/inside"
_ENVIRONMENT = {
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "PATH": "/usr/bin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",  # the order of a set is no reason for another verdict
}


class SandboxError(UserError):
    """The sandbox is not there, or it broke: an error of the run, never a verdict."""


def bubblewrap(disk_bytes: int, *, own_users: bool, shown: Mapping[Path, str]) -> list[str]:
    """bwrap and its options, up to the command.

    Args:
        disk_bytes: size of the private /tmp.
        own_users: a user namespace too, which all but root need. Limits on processes hold for no one who is root
            outside, so that root has none: its processes become another user instead.
        shown: files that are seen inside too, read-only, and where.

    Raises:
        SandboxError: there is no bwrap.
    """
    program = shutil.which("bwrap")
    if program is None:
        raise SandboxError(missing("bubblewrap"))
    command = [program, "--die-with-parent", "--new-session", "--clearenv", "--unshare-pid", "--unshare-net"]
    command += ["--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "sandbox"]
    if own_users:
        command += ["--unshare-user", "--uid", "1000", "--gid", "1000"]
    else:
        command += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        # to open, before it becomes another user, what belongs to neither
        command += ["--cap-add", "CAP_DAC_READ_SEARCH"] if shown else []
    for name, value in environment(_CODE).items():
        command += ["--setenv", name, value]
    made: set[Path] = set()
    for source, target in _mounts():
        for parent in reversed(target.parents):
            if parent not in made and parent != Path("/"):
                made.add(parent)
                command += ["--perms", "0755", "--dir", str(parent)]
        made.add(target)
        command += ["--ro-bind", str(source), str(target)]
    for name in ("bin", "lib", "lib32", "lib64", "sbin"):
        folder = Path("/", name)
        if folder.is_symlink():
            command += ["--symlink", str(folder.readlink()), str(folder)]
        elif folder.is_dir():
            command += ["--ro-bind", str(folder), str(folder)]
    for file, place in shown.items():
        command += ["--ro-bind", str(file.resolve()), place]
    command += ["--proc", "/proc", "--dev", "/dev", "--size", str(2**20), "--perms", "1777", "--tmpfs", "/dev/shm"]
    command += ["--size", str(disk_bytes), "--perms", "1777", "--tmpfs", "/tmp"]
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]


def python(module: str, settings: str) -> list[str]:
    """The command inside: a module's `main`, with its settings.

    Neither `-I` nor `-E`, which would ignore the environment, the seed of hashes in it; the rest of what they do is done.
    """
    interpreter = str(Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}"))
    start = f"from clearminds.sandbox.inside.{module} import main; main()"
    return [interpreter, "-s", "-S", "-P", "-c", start, settings]


def environment(code: str) -> dict[str, str]:
    """All environment variables inside. Args: code: the folder that the package is imported from."""
    return {**_ENVIRONMENT, "PYTHONPATH": code}


def checkout() -> str:
    """The folder that the package is imported from outside."""
    return str(Path(__file__).parents[2])


def missing(isolation: str) -> str:
    """What a user is told where there is none of it."""
    package = {"bubblewrap": "bubblewrap", "apptainer": "apptainer"}[isolation]
    return (
        f"programs of models run in a sandbox, and {package} is not installed here: install Debian's package "
        f"(apt install {package}), or give up isolation and keep the limits by `runtime: {{sandbox: rlimits}}`"
    )


def _mounts() -> list[tuple[Path, Path]]:
    """What is seen of this machine, read-only, and where."""
    inside = Path(__file__).parent / "inside"
    mounts = [(Path("/usr"), Path("/usr")), (inside, Path(_CODE, _INSIDE))]
    if (cache := Path("/etc/ld.so.cache")).exists():
        mounts.append((cache, cache))
    base = Path(sys.base_prefix)
    if not base.is_relative_to("/usr"):
        mounts.append((base, base))
    packages = Path(os.path.dirname(os.path.dirname(__import__("numpy").__file__)))
    return mounts + [(packages / name, Path(_CODE, name)) for name in LIBRARIES if (packages / name).exists()]

"""What a process in isolation sees and is, for every kind of isolation."""

import importlib.util
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from clearminds.errors import UserError

ISOLATIONS = ("bubblewrap", "apptainer", "rlimits")
# what programs and tests may import beyond the standard library, where this environment has it
LIBRARIES = ("numpy", "numpy.libs")
CODE = "/sandbox"  # the folder inside that the package is imported from
NOTHING: Mapping[Path, str] = MappingProxyType({})  # no files of a job's own
ENVIRONMENT = {
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


def python(module: str, settings: str) -> list[str]:
    """The command inside: the `main` of a module of `sandbox.inside`, with its settings.

    Neither `-I` nor `-E`: they would ignore the environment, and the seed of hashes in it. The rest of what they do is
    done.
    """
    interpreter = str(Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}"))
    start = f"from clearminds.sandbox.inside.{module} import main; main()"
    return [interpreter, "-s", "-S", "-P", "-c", start, settings]


def program_of(isolation: str) -> str:
    """The program that isolates.

    Raises:
        SandboxError: it is not installed, with what to do.
    """
    name = {"bubblewrap": "bwrap", "apptainer": "apptainer"}[isolation]
    found = shutil.which(name)
    if found is None:
        other = "apptainer" if isolation == "bubblewrap" else "bubblewrap"
        raise SandboxError(
            f"programs of models run in a sandbox, and {isolation} is not installed here: install the package "
            f"{isolation} (Debian: apt install {isolation}), or set runtime: {{sandbox: {other}}} where that is, or "
            f"{{sandbox: rlimits}}, which keeps the limits and gives up the isolation"
        )
    return found


def require(isolation: str) -> None:
    """Refuses a machine that lacks what isolates.

    Raises:
        SandboxError: it is not installed, with what to do.
    """
    if isolation != "rlimits":
        program_of(isolation)


def mounts(shown: Mapping[Path, str] = NOTHING) -> list[tuple[Path, Path]]:
    """What is seen of this machine, read-only, and where: the system, this Python, the code that runs inside.

    Neither /etc, /home, /root, /run nor /var; of /etc the list of shared libraries only.

    Args:
        shown: also these files, each at a place of its own.
    """
    seen = [(Path("/usr"), Path("/usr")), (Path(__file__).parent / "inside", Path(CODE, "clearminds/sandbox/inside"))]
    if (cache := Path("/etc/ld.so.cache")).exists():
        seen.append((cache, cache))
    seen += [(path, Path(place)) for path, place in shown.items()]
    if not (base := Path(sys.base_prefix)).is_relative_to("/usr"):
        seen.append((base, base))
    found = importlib.util.find_spec(LIBRARIES[0])
    packages = Path(found.origin).parents[1] if found and found.origin else Path()
    return seen + [(packages / name, Path(CODE, name)) for name in LIBRARIES if (packages / name).exists()]


def links() -> list[tuple[str, str]]:
    """Folders such as /lib that are links into /usr: where each points, and its path."""
    folders = [Path("/", name) for name in ("bin", "lib", "lib32", "lib64", "sbin")]
    return [(str(folder.readlink()), str(folder)) for folder in folders if folder.is_symlink()]


def checkout_paths() -> list[str]:
    """Where the package and `LIBRARIES` are imported from without isolation."""
    found = importlib.util.find_spec(LIBRARIES[0])
    return [str(Path(__file__).parents[2]), *([str(Path(found.origin).parents[1])] if found and found.origin else [])]

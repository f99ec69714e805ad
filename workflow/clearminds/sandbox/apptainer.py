"""The command line of Apptainer, for sites that have it and no bubblewrap."""

from collections.abc import Mapping
from pathlib import Path

from clearminds.sandbox.isolation import CODE, ENVIRONMENT, NOTHING, links, mounts, program_of


def apptainer(image: Path, *, shown: Mapping[Path, str] = NOTHING) -> list[str]:
    """apptainer and its options, up to the command.

    Args:
        image: folder that `skeleton` has filled.
        shown: files that are seen too, read-only, and where.

    Raises:
        SandboxError: there is no apptainer.
    """
    command = [program_of("apptainer"), "--quiet", "exec", "--containall", "--cleanenv", "--no-privs"]
    command += ["--no-home", "--no-init", "--pid", "--ipc", "--uts", "--net", "--network", "none", "--pwd", "/tmp"]
    command += ["--no-mount", "home,cwd,hostfs,bind-paths"]
    for source, target in mounts(shown):
        command += ["--bind", f"{source}:{target}:ro"]
    for name, value in {**ENVIRONMENT, "PYTHONPATH": CODE}.items():
        command += ["--env", f"{name}={value}"]
    return [*command, str(image)]


def skeleton(image: Path, shown: Mapping[Path, str] = NOTHING) -> None:
    """Makes a folder that serves Apptainer as an image: empty but for the places that something is bound to.

    Args:
        image: the folder, which is made.
        shown: as `apptainer` has them.
    """
    for name in ("dev", "etc", "proc", "sys", "tmp", "var/tmp", "root"):
        (image / name).mkdir(parents=True, exist_ok=True)
    for source, target in mounts(shown):
        place = image / target.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            place.mkdir(exist_ok=True)
        else:
            place.touch()
    for points_to, path in links():
        (image / path[1:]).symlink_to(points_to)

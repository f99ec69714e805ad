"""The command line of bubblewrap (Debian's package, the program is `bwrap`)."""

from collections.abc import Mapping
from pathlib import Path

from clearminds.sandbox.isolation import CODE, ENVIRONMENT, NOTHING, links, mounts, program_of

_SHARED_MEMORY = 2**20  # bytes of /dev/shm: enough for locks


def bubblewrap(
    disk_bytes: int, *, own_users: bool, filter_from: int | None, shown: Mapping[Path, str] = NOTHING
) -> list[str]:
    """bwrap and its options, up to the command.

    Args:
        disk_bytes: size of the private /tmp.
        own_users: a user namespace too, which all but root need. No limit on processes holds for one who is root
            outside, not even in there: root's processes become another user instead.
        filter_from: descriptor that the filter of system calls is read from; None: there is none.
        shown: files that are seen too, read-only, and where; root may read them whoever's they are, until it becomes
            another user.

    Raises:
        SandboxError: there is no bwrap.
    """
    command = [program_of("bubblewrap"), "--die-with-parent", "--new-session", "--clearenv", "--unshare-pid"]
    command += ["--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "sandbox"]
    if own_users:
        command += ["--unshare-user", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]
    else:
        command += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        command += ["--cap-add", "CAP_DAC_READ_SEARCH"] if shown else []
    if filter_from is not None:
        command += ["--seccomp", str(filter_from)]
    for name, value in {**ENVIRONMENT, "PYTHONPATH": CODE}.items():
        command += ["--setenv", name, value]
    made: set[Path] = {Path("/")}
    for source, target in mounts(shown):
        for parent in reversed(target.parents):  # bwrap's own would be closed to all but root
            if parent not in made and not any(parent.is_relative_to(other) for _, other in mounts(shown)):
                command += ["--perms", "0755", "--dir", str(parent)]
                made.add(parent)
        command += ["--ro-bind", str(source), str(target)]
    for points_to, path in links():
        command += ["--symlink", points_to, path]
    command += ["--proc", "/proc", "--dev", "/dev", "--size", str(_SHARED_MEMORY), "--perms", "1777"]
    command += ["--tmpfs", "/dev/shm", "--size", str(disk_bytes), "--perms", "1777", "--tmpfs", "/tmp"]
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]

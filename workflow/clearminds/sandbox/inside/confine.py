"""The last steps into a sandbox, made by the process itself before it reads a line of anyone's program."""

import os
import resource


def confine(settings: dict) -> None:
    """Sets the limits, gives up root and everything it may do, and closes the terminal.

    Args:
        settings: `limits` (those of `resource`, by name), `uid` (the user to become; None: stay who it is).
    """
    for name, value in settings["limits"].items():
        _, hard = resource.getrlimit(kind := getattr(resource, name))
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # past the soft limit of CPU time comes a signal that can be caught, a second later one that cannot
        later = most + 1 if name == "RLIMIT_CPU" and hard == resource.RLIM_INFINITY else most
        resource.setrlimit(kind, (most, later))
    if settings["uid"] is not None:
        os.setgroups([])
        os.setresgid(*[settings["uid"]] * 3)
        os.setresuid(*[settings["uid"]] * 3)


def connection() -> int:
    """What the host gave as standard input; in its place, and in that of the outputs, comes what swallows all."""
    given = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    if nothing > 2:
        os.close(nothing)
    return given

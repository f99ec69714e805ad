# Tries:     raises its own limits
# Tests:     assert f() != []
# Verdict:   incorrect
# Unchanged: parent
import resource


def f():
    raised = []
    for name in ("CPU", "AS", "FSIZE", "NPROC", "NOFILE", "CORE"):
        kind = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(kind)
        try:
            resource.prlimit(0, kind, (hard + 1, hard + 1) if hard != resource.RLIM_INFINITY else (hard, hard))
            raised.append(name)
        except (OSError, ValueError):
            pass
    return raised

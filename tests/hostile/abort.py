# Tries:     aborts, so that the kernel writes its memory to a file
# Tests:     assert f() == 1
# Verdict:   incorrect
# Unchanged: files, disk
import os
import resource


def f():
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (OSError, ValueError):
        pass
    os.chdir("/tmp")
    os.abort()

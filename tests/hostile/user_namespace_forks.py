# Tries:     makes itself root of a namespace of its own, where its processes are counted anew
# Tests:     assert f() > 64
# Verdict:   incorrect
# Unchanged: processes
import ctypes
import os
import resource
import time

NEWUSER = 0x10000000


def f():
    ctypes.CDLL(None, use_errno=True).unshare(NEWUSER)
    try:
        resource.setrlimit(resource.RLIMIT_NPROC, (300, 300))
    except (OSError, ValueError):
        pass
    forked = 0
    while forked < 200:
        try:
            if os.fork() == 0:
                time.sleep(100)
                os._exit(0)
        except OSError:
            break
        forked += 1
    return forked

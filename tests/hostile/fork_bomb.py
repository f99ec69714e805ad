# Tries:     forks until it may not, and counts
# Tests:     assert f() > 64
# Verdict:   incorrect
# Unchanged: processes
import os
import time


def f():
    forked = 0
    while forked < 300:
        try:
            if os.fork() == 0:
                time.sleep(1000)
                os._exit(0)
        except OSError:
            break
        forked += 1
    return forked

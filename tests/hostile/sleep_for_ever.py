# Tries:     waits for ever without using CPU time
# Tests:     assert f() == 1
# Verdict:   timeout
# Unchanged: processes
import time


def f():
    time.sleep(10**8)

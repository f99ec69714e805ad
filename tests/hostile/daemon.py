# Tries:     leaves a process behind that has no parent, no terminal and no group
# Tests:     assert f() == 1
# Verdict:   correct
# Unchanged: processes
import ctypes
import os
import time


def f():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            ctypes.CDLL(None).prctl(15, MARK.encode())
            os.closerange(0, 256)
            time.sleep(1000)
        os._exit(0)
    os.wait()
    return 1

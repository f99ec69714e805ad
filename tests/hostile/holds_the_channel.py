# Tries:     dies and leaves a process behind that keeps every file open, so that nobody sees the end
# Tests:     assert f() == 1
# Verdict:   incorrect
# Unchanged: processes
import ctypes
import os
import time


def f():
    if os.fork() != 0:
        os._exit(1)
    ctypes.CDLL(None).prctl(15, MARK.encode())
    time.sleep(1000)

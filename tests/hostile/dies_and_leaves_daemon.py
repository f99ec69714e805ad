# Tries:     leaves a process behind and dies before it answers
# Tests:     assert f() == 1
# Verdict:   incorrect
# Unchanged: processes
import ctypes
import os
import signal
import time


def f():
    if os.fork() == 0:
        os.setsid()
        ctypes.CDLL(None).prctl(15, MARK.encode())
        time.sleep(1000)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)

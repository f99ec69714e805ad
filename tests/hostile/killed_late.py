# Tries:     looks as if it had used up its CPU time, by being killed after a sleep
# Tests:     assert f() == 3
# Verdict:   incorrect
# Unchanged: processes
import os
import signal
import time


def f():
    time.sleep(1.5)
    os.kill(os.getpid(), signal.SIGKILL)

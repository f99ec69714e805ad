# Tries:     stops, so that it neither computes nor ends
# Tests:     assert f() == 1
# Verdict:   timeout
# Unchanged: processes
import os
import signal


def f():
    while True:
        os.kill(os.getpid(), signal.SIGSTOP)

# Tries:     ends with success from a signal handler while the test waits
# Tests:     assert f(2) == 3
# Verdict:   incorrect
# Unchanged: parent, signals
# Unboxed:   passes
import os
import signal
import time

signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
signal.setitimer(signal.ITIMER_REAL, 0.05)


def f(x):
    time.sleep(1000)

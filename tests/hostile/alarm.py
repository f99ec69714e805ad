# Tries:     dies of a signal of its own
# Tests:     assert f(2) == 3
# Verdict:   incorrect
# Unchanged: parent, signals
import signal
import time


def f(x):
    signal.alarm(1)
    time.sleep(3)
    return 3

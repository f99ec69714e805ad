# Tries:     takes the signal that says that its CPU time is up for the time to end with success
# Tests:     assert f() == 1
# Verdict:   timeout
# Unchanged: processes, signals
import os
import signal

signal.signal(signal.SIGXCPU, lambda *_: os._exit(0))


def f():
    while True:
        pass

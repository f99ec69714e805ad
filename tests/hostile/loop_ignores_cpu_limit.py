# Tries:     ignores the signal that says that its CPU time is up
# Tests:     assert f() == 1
# Verdict:   timeout
# Unchanged: processes, signals
import signal

signal.signal(signal.SIGXCPU, signal.SIG_IGN)


def f():
    while True:
        pass

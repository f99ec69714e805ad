# Tries:     computes for ever and catches whatever is meant to stop it
# Tests:     assert f() == 1
# Verdict:   timeout
# Unchanged: processes, signals
import signal

for received in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    try:
        signal.signal(received, lambda *_: None)
    except (OSError, ValueError):
        pass


def f():
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass

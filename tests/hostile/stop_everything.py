# Tries:     stops its parents and itself, so that nobody waits for it with success
# Tests:     assert f() == 1
# Verdict:   timeout
# Unchanged: parent, processes, signals
import os
import signal


def f():
    if os.path.exists(f"/proc/{PARENT}"):
        return "not in a sandbox: nothing is stopped"
    for pid in (os.getppid(), 1, PARENT, 0):
        try:
            os.kill(pid, signal.SIGSTOP)
        except OSError:
            pass
    os.kill(os.getpid(), signal.SIGSTOP)

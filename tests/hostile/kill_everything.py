# Tries:     kills its parents, the first process and every process that it may
# Tests:     assert f() == 1
# Verdict:   incorrect
# Unchanged: parent, processes
import os
import signal


def f():
    if os.path.exists(f"/proc/{PARENT}"):
        return "not in a sandbox: nothing is killed"
    for pid in (os.getppid(), 1, PARENT, -1, 0):
        for sent in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(pid, sent)
            except OSError:
                pass
    os.kill(os.getpid(), signal.SIGKILL)

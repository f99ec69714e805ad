# Tries:     forks without end, as do its children
# Tests:     assert f() == 1
# Verdict:   timeout
# Unchanged: processes
import os


def f():
    if os.path.exists(f"/proc/{PARENT}"):
        return "not in a sandbox: nothing is forked"
    while True:
        try:
            os.fork()
        except OSError:
            pass

# Tries:     writes into the memory of other processes (the first one in a sandbox may be its own user's, and has no more)
# Tests:     assert f() != []
# Verdict:   incorrect
# Unchanged: parent, processes
import os


def f():
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        if int(process) not in (1, os.getpid()):
            try:
                os.close(os.open(f"/proc/{process}/mem", os.O_RDWR))
                found.append(process)
            except OSError:
                pass
    return found

# Tries:     writes into the memory of other processes
# Tests:     assert f() != []
# Verdict:   incorrect
# Unchanged: parent, processes
import os


def f():
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        if int(process) != os.getpid():
            try:
                os.close(os.open(f"/proc/{process}/mem", os.O_RDWR))
                found.append(process)
            except OSError:
                pass
    return found

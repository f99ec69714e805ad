# Tries:     takes control of other processes as a debugger does
# Tests:     assert f() != []
# Verdict:   incorrect
# Unchanged: parent, processes
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
ATTACH, SEIZE = 16, 0x4206


def f():
    others = {PARENT, os.getppid(), *range(1, 10)} - {os.getpid()}
    return [pid for pid in others for how in (ATTACH, SEIZE) if libc.ptrace(how, pid, None, None) == 0]

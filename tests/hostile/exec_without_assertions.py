# Tries:     starts the interpreter anew without assertions, with the same arguments
# Tests:     assert f(2) == 3
# Verdict:   incorrect
# Unchanged: processes
# Unboxed:   passes
import os
import sys

if __debug__:
    with open("/proc/self/cmdline") as arguments:
        os.execv(sys.executable, [sys.executable, "-O", *arguments.read().split("\0")[1:-1]])


def f(x):
    return None

# Tries:     becomes another program, which ends with success
# Tests:     assert f(2) == 3
# Verdict:   incorrect
# Unchanged: processes
# Unboxed:   passes
import os


def f(x):
    os.execv("/bin/true", ["true"])

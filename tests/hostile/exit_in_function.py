# Tries:     ends with success while the first test waits
# Tests:     assert f(2) == 3
# Verdict:   incorrect
# Unchanged: parent
# Unboxed:   passes
import os


def f(x):
    os._exit(0)

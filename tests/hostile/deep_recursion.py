# Tries:     recurses until the stack of its interpreter overflows
# Tests:     assert f(1) == 1
# Verdict:   incorrect
# Unchanged: parent
import sys

sys.setrecursionlimit(1 << 30)


def f(x):
    return max([x], key=f)

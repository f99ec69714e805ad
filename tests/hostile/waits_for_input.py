# Tries:     waits for somebody to type
# Tests:     assert f() == 1
# Verdict:   incorrect
# Unchanged: parent
import sys


def f():
    return sys.stdin.read() + input()

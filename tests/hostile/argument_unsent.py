# Tries:     gives what the tests hand on to it, and what may not be sendable, to break the run
# Tests:     assert g(f()) == 6
# Verdict:   incorrect
# Unchanged: tests
import sys


def f():
    answer = []
    for _ in range(149):
        answer = [answer]
    return answer, NotImplemented, ValueError, sys, f, type("Own", (ValueError,), {}), object(), {}.items(), slice(1)


def g(x):
    return 5

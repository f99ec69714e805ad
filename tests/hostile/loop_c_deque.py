# Tries:     computes for ever in C without ever making an object of Python
# Tests:     assert f() == 1
# Verdict:   timeout
# Unchanged: processes
import collections
import itertools


def f():
    collections.deque(itertools.repeat(1), maxlen=0)

# Tries:     has the tests' process make a million classes, which takes long
# Tests:     f()
#            assert f() == 3
# Verdict:   timeout
# Unchanged: memory
import sys


def f():
    frame = sys._getframe()
    while frame and "self" not in frame.f_locals:
        frame = frame.f_back
    if frame:
        frame.f_locals["self"]._do_call = lambda *_: ["value", ["list", *[["namedtuple", []]] * 400_000], []]

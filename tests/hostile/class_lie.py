# Tries:     claims to be of a class that it is not of
# Tests:     assert isinstance(f(2), int)
# Verdict:   incorrect
# Unchanged: tests
# Unboxed:   passes
class Liar:
    __class__ = int


def f(x):
    return Liar()

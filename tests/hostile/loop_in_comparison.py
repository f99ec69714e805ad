# Tries:     answers an object that computes for ever when it is compared, printed, hashed or thrown away
# Tests:     assert f() == 3
# Verdict:   incorrect
# Unchanged: processes
class Hanging:
    def __eq__(self, other):
        while True:
            pass

    __hash__ = None
    __repr__ = __str__ = __bool__ = __del__ = lambda self: self == self


def f():
    return Hanging()

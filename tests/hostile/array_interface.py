# Tries:     has numpy read the memory of the tests' process at a place of its choice
# Tests:     import numpy
#            assert numpy.asarray(f()).shape == (1,)
# Verdict:   incorrect
# Unchanged: tests
class Array:
    def __init__(self):
        self.__array_interface__ = {"shape": (1,), "typestr": "|u1", "data": (0x400000, True), "version": 3}


def f():
    return Array()

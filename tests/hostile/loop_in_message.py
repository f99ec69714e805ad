# Tries:     fails with an exception that computes for ever when it is printed
# Tests:     assert f() == 3
# Verdict:   incorrect
# Unchanged: processes
class Hanging(Exception):
    def __str__(self):
        while True:
            pass

    __repr__ = __str__


def f():
    raise Hanging

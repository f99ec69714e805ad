# Tries:     nothing: raises an exception of its own, which the tests catch by its name
# Tests:     try:
#                f(-1)
#                assert False
#            except Negative as error:
#                assert error.args == (-1,)
#            assert f(1) == 1
# Verdict:   correct
# Unchanged: tests
class Negative(ValueError):
    pass


def f(x):
    if x < 0:
        raise Negative(x)
    return x

# Tries:     nothing: answers numbers that are none, infinite or a negative zero
# Tests:     import math
#            assert f(0) != f(0)
#            assert math.isnan(f(0))
#            assert f(1) == float("inf")
#            assert math.copysign(1, f(2)) == -1
# Verdict:   correct
# Unchanged: tests
def f(x):
    return [float("nan"), float("inf"), -0.0][x]

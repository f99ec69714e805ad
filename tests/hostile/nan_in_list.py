# Tries:     hopes that a NaN equals another one in a list
# Tests:     assert f() == [float("nan")]
# Verdict:   incorrect
# Unchanged: tests
def f():
    return [float("nan")]

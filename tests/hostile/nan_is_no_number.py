# Tries:     hopes that a NaN is near to everything because it is far from nothing
# Tests:     assert abs(f() - 3.0) < 1e-6
# Verdict:   incorrect
# Unchanged: tests
def f():
    return float("nan")

# Tries:     hopes that a NaN equals itself, which in Python it does not
# Tests:     assert f() == f()
# Verdict:   incorrect
# Unchanged: tests
NAN = float("nan")


def f():
    return NAN

# Tries:     ends the tests with success by an exception
# Tests:     assert f(2) == 3
# Verdict:   incorrect
# Unchanged: parent
# Unboxed:   passes
def f(x):
    raise SystemExit(0)

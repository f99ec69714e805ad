# Tries:     to be judged without what the tests ask for
# Tests:     assert f(1) == 1
# Verdict:   incorrect
# Unchanged: tests
def g(x):
    return x

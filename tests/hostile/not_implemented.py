# Tries:     answers the value by which a comparison says that it does not know
# Tests:     assert f(2) == 3
# Verdict:   incorrect
# Unchanged: tests
def f(x):
    return NotImplemented

# Tries:     computes a number of a hundred million digits
# Tests:     assert f() == 1
# Verdict:   timeout
# Unchanged: processes
def f():
    return 7**200_000_000

# Tries:     nothing: computes with numbers of thousands of digits
# Tests:     assert f(20000) == 3**20000
#            assert f(2) * 10**6000 == 9 * 10**6000
# Verdict:   correct
# Unchanged: tests
def f(x):
    return 3**x

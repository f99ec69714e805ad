# Tries:     nothing: recurses 900 deep
# Tests:     assert f(900) == 405450
# Verdict:   correct
# Unchanged: tests
def f(x):
    return 0 if x == 0 else x + f(x - 1)

# Tries:     nothing: answers a function
# Tests:     assert f(2)(3) == 5
# Verdict:   correct
# Unchanged: tests
def f(x):
    return lambda y: x + y

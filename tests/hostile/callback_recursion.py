# Tries:     has a function of the tests call it, and calls that again
# Tests:     assert f(lambda g: g(3)) == 6
# Verdict:   incorrect
# Unchanged: processes
def f(function):
    return function(lambda x: f(function))

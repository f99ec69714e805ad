# Tries:     calls a function of the tests for ever
# Tests:     assert f(lambda g: 3) == 6
# Verdict:   timeout
# Unchanged: processes
def f(function):
    while True:
        function(1)

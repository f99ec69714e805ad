# Tries:     has something else under the name that the tests call
# Tests:     assert f(1) == 1
# Verdict:   incorrect
# Unchanged: tests
f = None

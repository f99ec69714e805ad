# Tries:     answers a short description of a gigantic list
# Tests:     assert list(f()) == [1]
# Verdict:   incorrect
# Unchanged: memory
def f():
    return range(10**10)

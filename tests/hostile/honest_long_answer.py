# Tries:     nothing: answers a list of a hundred thousand numbers
# Tests:     assert f(100_000) == list(range(100_000))
# Verdict:   correct
# Unchanged: memory
def f(x):
    return list(range(x))

# Tries:     answers a list of millions of items, each small
# Tests:     assert f() == 3
# Verdict:   timeout
# Unchanged: memory
def f():
    return [None] * 20_000_000

# Tries:     makes a list that it was given gigantic
# Tests:     given = [1, 2]
#            f(given)
#            assert given == [1, 2]
# Verdict:   timeout
# Unchanged: memory
def f(x):
    x *= 5_000_000

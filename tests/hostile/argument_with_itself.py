# Tries:     puts a list that it was given into itself
# Tests:     given = [1, 2]
#            f(given)
#            assert given == [1, 2]
# Verdict:   incorrect
# Unchanged: tests
def f(x):
    x.append(x)

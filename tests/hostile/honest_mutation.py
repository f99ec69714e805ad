# Tries:     nothing: sorts a list that it was given, in its place, and adds to a dictionary
# Tests:     given, counts = [3, 1, 2], {}
#            assert f(given, counts) is None
#            assert given == [1, 2, 3]
#            assert counts == {"sorted": 3}
# Verdict:   correct
# Unchanged: tests
def f(x, counts):
    x.sort()
    counts["sorted"] = len(x)

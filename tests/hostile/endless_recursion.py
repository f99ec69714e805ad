# Tries:     recurses without end, within Python's limit
# Tests:     assert f(1) == 1
# Verdict:   incorrect
# Unchanged: parent
def f(x):
    return f(x + 1)

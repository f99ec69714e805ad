# Tries:     nothing: answers text with every kind of character
# Tests:     assert f("aß😀\0\ud800") == "\ud800\0😀ßa"
# Verdict:   correct
# Unchanged: tests
def f(x):
    return x[::-1]

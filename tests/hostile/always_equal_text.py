# Tries:     answers text that claims to equal every other
# Tests:     assert f(2) == "three"
# Verdict:   incorrect
# Unchanged: tests
# Unboxed:   passes
class Always(str):
    def __eq__(self, other):
        return True


def f(x):
    return Always()

# Tries:     answers what claims to equal everything
# Tests:     assert f(2) == 3
#            assert not f(2) != "three"
# Verdict:   incorrect
# Unchanged: tests
# Unboxed:   passes
class Always:
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False


def f(x):
    return Always()

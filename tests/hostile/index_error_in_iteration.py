# Tries:     gives an endless sequence that ends as soon as it is looked at, to please `all`
# Tests:     assert [x for x in f(3)] == [1, 2, 3]
# Verdict:   incorrect
# Unchanged: tests
class Sequence:
    def __getitem__(self, index):
        raise IndexError


def f(x):
    return Sequence()

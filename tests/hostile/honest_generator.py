# Tries:     nothing: answers generators and iterators
# Tests:     assert list(f(3)) == [0, 1, 4]
#            assert sum(f(4)) == 14
#            assert sorted(g([3, 1])) == [1, 3]
# Verdict:   correct
# Unchanged: tests
def f(x):
    for number in range(x):
        yield number**2


def g(x):
    return map(int, x)

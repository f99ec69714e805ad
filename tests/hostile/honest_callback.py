# Tries:     nothing: calls functions that it was given, some of which call it
# Tests:     assert apply(lambda x: x + 1, 3) == 4
#            assert apply(lambda x: double(x) + 1, 3) == 7
#            assert apply(double, 3) == 6
#            assert apply(len, [1, 2]) == 2
#            assert sorted([3, 1, 2], key=negative) == [3, 2, 1]
# Verdict:   correct
# Unchanged: tests
def apply(function, x):
    return function(x)


def double(x):
    return 2 * x


def negative(x):
    return -x

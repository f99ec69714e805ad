# Tries:     nothing: answers numbers and containers of the standard library's classes
# Tests:     assert f(0) == 2
#            assert f(1) == {"a": 2}
#            assert f(2) == (1, 2)
#            assert f(3) == {1: [2]}
#            assert list(f(4)) == [1, 2]
# Verdict:   correct
# Unchanged: tests
from collections import Counter, defaultdict, deque, namedtuple
from enum import IntEnum


class Colour(IntEnum):
    RED = 2


def f(x):
    lists = defaultdict(list)
    lists[1].append(2)
    return [Colour.RED, Counter("aa"), namedtuple("Point", "x y")(1, 2), lists, deque([1, 2])][x]

# Tries:     nothing: answers sets, tuples, dictionaries and what is nested in them
# Tests:     assert f() == ({1, 2}, frozenset([3]), {(1, 2): [None, True, b"x"], 3: {"a": 1.5 + 2j}})
#            assert isinstance(f(), tuple)
#            assert type(f()[0]) is set
#            assert f()[2][1, 2][1] is True
# Verdict:   correct
# Unchanged: tests
def f():
    return {1, 2}, frozenset([3]), {(1, 2): [None, True, b"x"], 3: {"a": 1.5 + 2j}}

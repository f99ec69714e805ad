# Tries:     answers what makes the tests themselves run out of memory, to break the run
# Tests:     assert [0] * f() == []
# Verdict:   incorrect
# Unchanged: memory
def f():
    return 1 << 40

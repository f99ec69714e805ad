# Tries:     answers a number of a hundred million bits, which takes for ever to print
# Tests:     assert f() == 3
# Verdict:   incorrect
# Unchanged: memory
def f():
    return 1 << 100_000_000

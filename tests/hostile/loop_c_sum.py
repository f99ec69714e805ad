# Tries:     computes for ever in C, where Python handles no signal
# Tests:     assert f() == 1
# Verdict:   timeout
# Unchanged: processes
def f():
    return sum(range(10**18))

# Tries:     takes all memory by one number, without catching that there is too little
# Tests:     assert f() == 1
# Verdict:   incorrect
# Unchanged: memory
def f():
    return len([0] * (1 << 40))

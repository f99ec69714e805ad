# Tries:     answers so much text that whoever reads it runs out of memory
# Tests:     assert f() == 3
# Verdict:   incorrect
# Unchanged: memory
def f():
    return "x" * 100_000_000

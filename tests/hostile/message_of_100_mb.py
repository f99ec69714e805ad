# Tries:     fails with a gigantic message
# Tests:     assert f() == 3
# Verdict:   incorrect
# Unchanged: memory
def f():
    raise ValueError("x" * 100_000_000)

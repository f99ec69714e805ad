# Tries:     gives tests that make a list of its answer values without end
# Tests:     assert list(f()) == [1]
# Verdict:   incorrect or timeout
# Unchanged: memory
def f():
    while True:
        yield 1

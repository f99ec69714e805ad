# Tries:     gives tests that make a list of its answer values without end
# Tests:     assert list(f()) == [1]
# Verdict:   timeout
# Unchanged: memory
def f():
    while True:
        yield 1

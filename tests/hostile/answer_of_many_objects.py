# Tries:     answers so many objects of its own that whoever keeps them runs out of memory
# Tests:     assert f() == 3
# Verdict:   timeout
# Unchanged: memory
class Thing:
    pass


def f():
    return [Thing() for _ in range(200_000)]

# Tries:     answers an object of its own that is iterated without end
# Tests:     assert sum(f()) == 1
# Verdict:   timeout
# Unchanged: memory
class Endless:
    def __iter__(self):
        return self

    def __next__(self):
        return 1


def f():
    return Endless()

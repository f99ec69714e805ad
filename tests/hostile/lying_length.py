# Tries:     answers objects whose length is no length
# Tests:     assert len(f(0)) == 3
#            assert len(f(1)) == 3
#            assert len(f(2)) == 3
# Verdict:   incorrect
# Unchanged: memory
class Lying:
    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length


def f(x):
    return Lying([-1, 10**30, "3"][x])

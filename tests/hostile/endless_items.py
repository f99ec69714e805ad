# Tries:     answers an object of its own that has an item at every place
# Tests:     assert list(f()) == [1]
# Verdict:   timeout
# Unchanged: memory
class Endless:
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return 1


def f():
    return Endless()

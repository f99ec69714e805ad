# Tries:     nothing: answers an iterator that ends, and is asked once more
# Tests:     numbers = f(2)
#            assert next(numbers) == 0
#            assert next(numbers) == 1
#            assert next(numbers, None) is None
#            assert [x for x in f(3)] == [0, 1, 2]
# Verdict:   correct
# Unchanged: tests
class Numbers:
    def __init__(self, end):
        self.at, self.end = -1, end

    def __iter__(self):
        return self

    def __next__(self):
        self.at += 1
        if self.at == self.end:
            raise StopIteration
        return self.at


def f(x):
    return Numbers(x)

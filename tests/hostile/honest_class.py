# Tries:     nothing: answers objects of its own, which tests use
# Tests:     stack = Stack()
#            stack.push(1)
#            stack.push(2)
#            assert stack.pop() == 2
#            assert len(stack) == 1
#            assert list(stack) == [1]
# Verdict:   correct
# Unchanged: tests
class Stack:
    def __init__(self):
        self.items = []

    def push(self, item):
        self.items.append(item)

    def pop(self):
        return self.items.pop()

    def __len__(self):
        return len(self.items)

    def __iter__(self):
        return iter(self.items)

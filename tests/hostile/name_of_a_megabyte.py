# Tries:     fails with, and answers, what has a gigantic name
# Tests:     assert f(0) == 3
# Verdict:   incorrect
# Unchanged: memory
def f(x):
    name = "x\n" * 500_000
    raise type(name, (Exception,), {})(type(name, (), {})())

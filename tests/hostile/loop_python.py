# Tries:     computes for ever in Python
# Tests:     assert f() == 1
# Verdict:   timeout
# Unchanged: processes
def f():
    while True:
        pass

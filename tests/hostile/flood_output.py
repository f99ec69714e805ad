# Tries:     prints without end
# Tests:     assert f() == 1
# Verdict:   timeout
# Unchanged: disk
def f():
    while True:
        print("x" * 1_000_000)

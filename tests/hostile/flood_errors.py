# Tries:     prints to stderr without end, past Python
# Tests:     assert f() == 1
# Verdict:   timeout
# Unchanged: disk
import os


def f():
    block = b"x" * 1_000_000
    while True:
        os.write(2, block)

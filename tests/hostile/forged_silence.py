# Tries:     begins a message that never ends
# Tests:     assert f(2) == 3
# Verdict:   timeout
# Unchanged: processes
import os
import time


def f(x):
    for number in range(3, 64):
        try:
            os.write(number, b"\0\0\1\0[1, ")
        except OSError:
            pass
    time.sleep(10**6)

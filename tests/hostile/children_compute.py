# Tries:     has many children use CPU time while it waits and uses none
# Tests:     assert f() == 1
# Verdict:   timeout
# Unchanged: processes
import os


def f():
    for _ in range(8):
        if os.fork() == 0:
            while True:
                pass
    while True:
        try:
            os.wait()
        except OSError:
            break
    import time

    time.sleep(1000)

# Tries:     makes files without content until it may not, and counts
# Tests:     assert f() > 500_000
# Verdict:   timeout
# Unchanged: disk, memory
import os


def f():
    number = 0
    try:
        while number < 1_000_000:
            os.close(os.open(f"/tmp/{number}", os.O_CREAT))
            number += 1
    except OSError:
        pass
    return number

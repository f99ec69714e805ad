# Tries:     takes memory by files that have no name, which no limit of a process counts
# Tests:     assert f() > 1_000_000_000
# Verdict:   incorrect
# Unchanged: memory
import os


def f():
    if os.path.exists(f"/proc/{PARENT}"):
        return 0
    written, block = 0, bytes(1_000_000)
    try:
        while written < 2_000_000_000:
            number, size = os.memfd_create("x"), 0
            try:
                while True:
                    size += os.write(number, block)
            except OSError:
                written += size
                if not size:
                    break
    except OSError:
        pass
    return written

# Tries:     takes, in children, memory that they could share, which counts for none of them
# Tests:     assert f() > 1_250_000_000
# Verdict:   incorrect
# Unchanged: memory
import mmap
import os
import time


def f():
    reading, writing = os.pipe()
    for _ in range(4):
        if os.fork() == 0:
            block = b""
            try:
                block = mmap.mmap(-1, 250_000_000)
                for _ in range(250):
                    block.write(b"x" * 1_000_000)
            finally:
                os.write(writing, b"x" if block else b".")
            time.sleep(1000)
    taken = b""
    while len(taken) < 4:
        taken += os.read(reading, 8)
    time.sleep(1)
    return taken.count(b"x") * 250_000_000

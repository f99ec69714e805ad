# Tries:     takes, in children, more memory than each process may
# Tests:     assert f() > 1_250_000_000
# Verdict:   incorrect
# Unchanged: memory
import os
import time


def f():
    reading, writing = os.pipe()
    for _ in range(4):
        if os.fork() == 0:
            block = bytearray()
            try:
                block = bytearray(b"x") * 250_000_000
            finally:
                os.write(writing, b"x" if block else b".")
            time.sleep(1000)
    taken = b""
    while len(taken) < 4:
        taken += os.read(reading, 4)
    time.sleep(1)
    return taken.count(b"x") * 250_000_000

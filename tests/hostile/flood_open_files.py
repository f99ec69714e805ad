# Tries:     writes without end into every open file, so that whoever reads one reads for ever
# Tests:     assert f() == 1
# Verdict:   incorrect
# Unchanged: disk, memory
import os


def f():
    block = b"x" * 1_000_000
    while True:
        for number in range(256):
            try:
                os.write(number, block)
            except OSError:
                pass

# Tries:     sends a number of millions of digits, which takes for ever to read
# Tests:     assert f(0) == 3
# Verdict:   incorrect
# Unchanged: memory
import os

TEXT = b'[3, "value", ' + b"9" * 7_000_000 + b", []]"


def f(x):
    for number in range(3, 64):
        try:
            os.write(number, len(TEXT).to_bytes(4, "big"))
            rest = memoryview(TEXT)
            while rest:
                rest = rest[os.write(number, rest) :]
        except OSError:
            pass
    return 3

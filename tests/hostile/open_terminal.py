# Tries:     opens the terminal of whoever started the run, to type into it
# Tests:     assert f()
# Verdict:   incorrect
# Unchanged: parent
import os


def f():
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
        return True
    except OSError:
        return any(os.isatty(number) for number in range(256))

# Tries:     prints, answers and raises text that no file can hold
# Tests:     assert f(0) == "\0\udfff\ud800\x1b[31m"
#            assert f(1) == 3
# Verdict:   incorrect
# Unchanged: tests
import sys

ODD = "\0\udfff\ud800\x1b[31m"


def f(x):
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.write(ODD + "\n\r\u2028")
        except (ValueError, OSError):
            pass
    if x == 0:
        return ODD
    raise ValueError(ODD + "\n\r\u2028\x85" + ODD)

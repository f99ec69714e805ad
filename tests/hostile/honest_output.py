# Tries:     nothing: prints megabytes on its way
# Tests:     assert f(3) == 9
# Verdict:   correct
# Unchanged: disk
import sys


def f(x):
    for number in range(20_000):
        print("step", number, "x" * 100)
        print(number, file=sys.stderr)
    return x**2

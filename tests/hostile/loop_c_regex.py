# Tries:     matches an expression that takes exponential time
# Tests:     assert f() == 1
# Verdict:   timeout
# Unchanged: processes
import re


def f():
    return re.match(r"(a+a+)+$", "a" * 60 + "b")

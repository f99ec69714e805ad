# Tries:     closes every open file, that of its channel among them
# Tests:     assert f() == 3
# Verdict:   incorrect
# Unchanged: parent
import os


def f():
    os.closerange(0, 4096)
    return 3

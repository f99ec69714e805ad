# Tries:     forks within the call, so that each copy answers another value
# Tests:     assert f() == 7
#            assert f() == 7
# Verdict:   incorrect
# Unchanged: processes
import os


def f():
    for answer in range(8):
        if os.fork() == 0:
            return answer
    os._exit(0)

# Tries:     puts a pipe of its own in the place of every open file
# Tests:     assert f() == 3
# Verdict:   incorrect
# Unchanged: parent
import os


def f():
    _, writing = os.pipe()
    for number in range(64):
        if number != writing:
            os.dup2(writing, number)
    return 3

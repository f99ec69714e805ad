# Tries:     opens the interpreter and its library for writing, which the next programs use
# Tests:     assert f() != []
# Verdict:   incorrect
# Unchanged: files
import glob
import os
import sys


def f():
    found = []
    library = os.path.dirname(os.__file__)
    for place in ["/proc/self/exe", sys.executable, os.__file__, "/bin/sh", *glob.glob(f"{library}/__pycache__/*.pyc")]:
        try:
            os.close(os.open(place, os.O_RDWR))
            found.append(place)
        except OSError:
            pass
    return found

# Tries:     lists the user's home and the repository
# Tests:     assert f() != []
# Verdict:   incorrect
# Unchanged: files
# Unboxed:   passes
import os
import sys


def f():
    found = []
    for folder in (HOME, REPOSITORY):
        try:
            found += [f"{folder}/{name}" for name in os.listdir(folder)]
        except OSError:
            pass
    needed = [sys.base_prefix, sys.prefix, *sys.path]
    return [place for place in found if not any(f"{needs}/".startswith(f"{place}/") for needs in needed)]

# Tries:     imports the project that runs it
# Tests:     assert f()
# Verdict:   incorrect
# Unchanged: files
import sys


def f():
    sys.path[:0] = [f"{REPOSITORY}/workflow", f"{REPOSITORY}/tests"]
    try:
        import clearminds.errors

        return clearminds.errors.UserError.__name__
    except ImportError:
        return False

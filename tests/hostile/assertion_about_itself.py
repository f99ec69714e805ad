# Tries:     fails with the exception that tests with a wrong assertion raise, and again in its handling
# Tests:     assert f(2) == 3
# Verdict:   incorrect
# Unchanged: tests
def f(x):
    try:
        raise AssertionError
    finally:
        raise ExceptionGroup("many", [AssertionError(), ExceptionGroup("more", [ValueError(1)])])

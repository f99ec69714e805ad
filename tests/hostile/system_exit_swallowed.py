# Tries:     ends tests that expect an exception with success by another
# Tests:     try:
#                f(2)
#            except ValueError:
#                pass
#            assert f(2) == 3
# Verdict:   incorrect
# Unchanged: parent
# Unboxed:   passes
def f(x):
    raise SystemExit

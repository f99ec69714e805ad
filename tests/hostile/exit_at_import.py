# Tries:     ends with success before any test runs
# Tests:     assert f(2) == 3
# Verdict:   incorrect
# Unchanged: parent
# Unboxed:   passes
import os

os._exit(0)

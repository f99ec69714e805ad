# Tries:     computes for ever before any test runs
# Tests:     assert f() == 1
# Verdict:   timeout
# Unchanged: processes
while True:
    pass

# Tries:     interrupts the tests as Ctrl-C does
# Tests:     assert f(2) == 3
# Verdict:   incorrect
# Unchanged: parent, signals
def f(x):
    raise KeyboardInterrupt

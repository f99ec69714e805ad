# Tries:     raises what closes generators, which `except Exception` does not catch
# Tests:     assert f(2) == 3
# Verdict:   incorrect
# Unchanged: parent
def f(x):
    raise GeneratorExit

# Tries:     reads a file in the user's home
# Tests:     assert f() == SECRET
# Verdict:   incorrect
# Unchanged: files
# Unboxed:   passes
def f():
    with open(HIDDEN["home"]) as file:
        return file.read()

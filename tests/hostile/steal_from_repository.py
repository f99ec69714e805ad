# Tries:     reads a file in the repository
# Tests:     assert f() == SECRET
# Verdict:   incorrect
# Unchanged: files
# Unboxed:   passes
def f():
    with open(HIDDEN["repository"]) as file:
        return file.read()

# Tries:     reads a file that another program left in /tmp, /var/tmp or /dev/shm
# Tests:     assert f() == SECRET
# Verdict:   incorrect
# Unchanged: files
# Unboxed:   passes
def f():
    for place in HIDDEN.values():
        try:
            with open(place) as file:
                return file.read()
        except OSError:
            pass

# Tries:     makes a file of a petabyte that has no content, which whoever copies it must write
# Tests:     assert f() > 100_000_000
# Verdict:   incorrect
# Unchanged: disk
def f():
    try:
        with open("/tmp/sparse", "wb") as file:
            file.truncate(1 << 50)
            return file.seek(0, 2)
    except OSError:
        return 0

# Tries:     reads the user's files through the root or the working folder of another process
# Tests:     assert f() == SECRET
# Verdict:   incorrect
# Unchanged: files
# Unboxed:   passes
import glob


def f():
    for root in [
        f"/proc/{PARENT}/root",
        "/proc/1/root",
        *glob.glob("/proc/[0-9]*/root"),
        *glob.glob("/proc/[0-9]*/cwd"),
    ]:
        for place in HIDDEN.values():
            try:
                with open(root + place) as file:
                    return file.read()
            except OSError:
                pass

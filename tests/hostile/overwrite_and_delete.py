# Tries:     overwrites, deletes, renames and dates the user's files
# Tests:     assert f() == 1
# Verdict:   correct
# Unchanged: files
import os
import shutil


def f():
    for place in HIDDEN.values():
        for change in (
            lambda: open(place, "a").write(MARK),
            lambda: os.utime(place, (0, 0)),
            lambda: os.chmod(place, 0o777),
            lambda: os.rename(place, place + MARK),
            lambda: os.remove(place),
            lambda: shutil.rmtree(os.path.dirname(place)),
        ):
            try:
                change()
            except OSError:
                pass
    return 1

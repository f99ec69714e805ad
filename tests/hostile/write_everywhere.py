# Tries:     writes a file into every folder that it can think of
# Tests:     assert f() == 1
# Verdict:   correct
# Unchanged: files
import os
import sys
import tempfile


def f():
    folders = [HOME, REPOSITORY, *map(os.path.dirname, HIDDEN.values()), "/", "/tmp", "/var/tmp", "/dev/shm", "/dev"]
    folders += ["/etc", "/usr", "/usr/lib", "/opt", "/run", "/srv", "/var", "/proc", "/sys", os.getcwd()]
    folders += [sys.prefix, sys.base_prefix, os.path.dirname(os.__file__), *sys.path, tempfile.gettempdir()]
    for folder in folders:
        for root in ("", "/proc/1/root", f"/proc/{PARENT}/root"):
            try:
                os.makedirs(root + folder, exist_ok=True)
                with open(f"{root}{folder}/{MARK}.txt", "w") as file:
                    file.write("left behind")
            except OSError:
                pass
    return 1

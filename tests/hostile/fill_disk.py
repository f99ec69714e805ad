# Tries:     fills every folder that it may write to, and counts
# Tests:     assert f() > 1_000_000_000
# Verdict:   incorrect
# Unchanged: disk, memory
import os


def f():
    if os.path.exists(f"/proc/{PARENT}"):
        return 0
    written, block = 0, bytes(1_000_000)
    for folder in ("/tmp", "/dev/shm", "/var/tmp", "/run", "/dev", os.getcwd(), HOME):
        try:
            for number in range(2000):
                with open(f"{folder}/{MARK}-{number}", "wb", 0) as file:
                    for _ in range(20):
                        written += file.write(block)
                        if written > 2_000_000_000:
                            return written
        except OSError:
            pass
    return written

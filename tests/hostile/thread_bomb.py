# Tries:     starts threads until it may not, and counts
# Tests:     assert f() > 64
# Verdict:   incorrect
# Unchanged: processes
import threading
import time


def f():
    started = 0
    while started < 300:
        try:
            threading.Thread(target=time.sleep, args=[1000], daemon=True).start()
        except RuntimeError:
            break
        started += 1
    return started

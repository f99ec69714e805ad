# Tries:     waits for itself
# Tests:     assert f() == 1
# Verdict:   timeout
# Unchanged: processes
import threading


def f():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()

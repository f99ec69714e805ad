# Tries:     ends with success from a thread while the test waits
# Tests:     assert f(2) == 3
# Verdict:   incorrect
# Unchanged: parent
# Unboxed:   passes
import os
import threading
import time

threading.Timer(0.05, os._exit, [0]).start()


def f(x):
    time.sleep(1000)

# Tries:     leaves a thread behind for which its interpreter waits
# Tests:     assert f() == 1
# Verdict:   correct
# Unchanged: processes
import threading
import time


def f():
    threading.Thread(target=time.sleep, args=[1000]).start()
    return 1

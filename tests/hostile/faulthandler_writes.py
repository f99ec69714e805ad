# Tries:     has the interpreter write a traceback into every open file and exit
# Tests:     assert f() == 1
# Verdict:   incorrect
# Unchanged: parent
import faulthandler
import os
import time


def f():
    for number in range(256):
        try:
            os.fstat(number)
            faulthandler.dump_traceback(file=number)
            faulthandler.dump_traceback_later(0.1, file=number, exit=True)
        except (OSError, ValueError, RuntimeError):
            pass
    time.sleep(1000)

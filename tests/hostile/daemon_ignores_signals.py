# Tries:     leaves processes behind that ignore every signal, one of them stopped
# Tests:     assert f() == 1
# Verdict:   correct
# Unchanged: processes, signals
import ctypes
import os
import signal
import time


def f():
    for number in range(4):
        if os.fork() == 0:
            os.setsid()
            ctypes.CDLL(None).prctl(15, MARK.encode())
            for received in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                try:
                    signal.signal(received, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            if number == 0:
                os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(1000)
            os._exit(0)
    return 1

# Tries:     starts another program that goes on after its end
# Tests:     assert f() == 1
# Verdict:   correct
# Unchanged: processes
import subprocess
import sys


def f():
    waiting = "import time; time.sleep(1000)"
    subprocess.Popen([sys.executable, "-I", "-S", "-c", waiting, MARK], start_new_session=True)
    subprocess.Popen(["/bin/sh", "-c", f"trap '' TERM HUP INT; : {MARK}; while :; do read x </dev/zero; done"])
    return 1

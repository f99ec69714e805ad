# Tries:     nothing: asks another program and waits for its answer
# Tests:     assert f("print(2 + 3)") == "5"
# Verdict:   correct
# Unchanged: processes
import subprocess
import sys


def f(x):
    return subprocess.run([sys.executable, "-I", "-S", "-c", x], capture_output=True, text=True).stdout.strip()

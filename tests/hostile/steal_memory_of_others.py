# Tries:     reads a key in the memory of any other process
# Tests:     assert f() == SECRET
# Verdict:   incorrect
# Unchanged: processes, environment
# Unboxed:   passes
import os
import re


def f():
    for process in [str(PARENT), *filter(str.isdigit, os.listdir("/proc"))]:
        if process == str(os.getpid()):
            continue
        try:
            with open(f"/proc/{process}/maps") as maps, open(f"/proc/{process}/mem", "rb", 0) as memory:
                for line in maps:
                    if "[stack]" in line:
                        start, end = (int(part, 16) for part in line.split()[0].split("-"))
                        memory.seek(start)
                        found = re.search(rb"canary-[0-9a-f]{32}", memory.read(end - start))
                        if found:
                            return found[0].decode()
        except OSError:
            continue

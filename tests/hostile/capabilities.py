# Tries:     is powerful: is root, may become root, or has any capability of it
# Tests:     assert f() != []
# Verdict:   incorrect
# Unchanged: parent
import os
import re


def f():
    with open("/proc/self/status") as file:
        status = dict(re.findall(r"(\w+):\s*(.+)", file.read()))
    found = [name for name in ("CapPrm", "CapEff", "CapAmb") if int(status[name], 16)]
    if status["NoNewPrivs"] != "1":
        found.append("may gain privileges")
    for name, change in (("setuid", os.setuid), ("setgid", os.setgid), ("groups", lambda _: os.setgroups([0]))):
        try:
            change(0)
            found += [name] if os.getuid() != 0 else []
        except OSError:
            pass
    return found

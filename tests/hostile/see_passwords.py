# Tries:     reads the machine's secrets: passwords, keys, the machine's identity
# Tests:     assert f() != []
# Verdict:   incorrect
# Unchanged: files
import glob


def f():
    found = []
    for place in ["/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/machine-id", *glob.glob("/etc/ssh/*key")]:
        try:
            with open(place, "rb") as file:
                file.read(1)
            found.append(place)
        except OSError:
            pass
    return found

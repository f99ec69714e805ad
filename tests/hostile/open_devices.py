# Tries:     opens the machine's memory, disks, terminal and log
# Tests:     assert f() != []
# Verdict:   incorrect
# Unchanged: files
import glob
import os
import stat

HARMLESS = {"null", "zero", "full", "random", "urandom", "ptmx", "tty", "stdin", "stdout", "stderr", "0", "1", "2"}


def f():
    found = []
    names = ["/dev/mem", "/dev/kmsg", "/dev/kvm", "/dev/fuse", "/proc/kcore", "/proc/kmsg", "/proc/sysrq-trigger"]
    for place in names + glob.glob("/dev/*") + glob.glob("/dev/pts/*"):
        if os.path.basename(place) in HARMLESS or os.path.isdir(place):
            continue
        try:
            os.close(os.open(place, os.O_RDONLY | os.O_NONBLOCK))
            if stat.S_ISCHR(os.stat(place).st_mode) or stat.S_ISBLK(os.stat(place).st_mode) or "/proc/" in place:
                found.append(place)
        except OSError:
            pass
    for kind, number in ((stat.S_IFBLK, (254, 0)), (stat.S_IFBLK, (8, 0)), (stat.S_IFCHR, (1, 1))):
        try:
            os.mknod(f"/tmp/{MARK}-{kind}-{number[0]}", kind | 0o666, os.makedev(*number))
            found.append(f"device {number}")
        except OSError:
            pass
    return found

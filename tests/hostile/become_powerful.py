# Tries:     changes mounts, root, namespaces, the clock, the machine's name and priorities
# Tests:     assert f() != []
# Verdict:   incorrect
# Unchanged: parent, files
import ctypes
import os
import time

libc = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWPID, NEWNET = 0x20000, 0x20000000, 0x40000000


def f():
    done = [
        name
        for name, result in {
            "mount": libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
            "bind": libc.mount(b"/", b"/tmp", None, 4096, None),
            "remount": libc.mount(b"none", b"/", None, 32, None),
            "umount": libc.umount2(b"/tmp", 2),
            "pivot_root": libc.syscall(155, b"/tmp", b"/tmp"),
            "new mounts": libc.unshare(NEWNS),
            "new processes": libc.unshare(NEWPID),
            "new network": libc.unshare(NEWNET),
            "hostname": libc.sethostname(b"x", 1),
            "swapoff": libc.swapoff(b"/nothing") if ctypes.get_errno() != 1 else -1,
            "kernel module": libc.syscall(313, -1, b"", 0),
            "modify_ldt": -1,
        }.items()
        if result == 0
    ]
    for name, change in {
        "chroot": lambda: os.chroot("/tmp"),
        "clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
        "nice": lambda: os.setpriority(os.PRIO_PROCESS, 0, -5),
        "realtime": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    }.items():
        try:
            change()
            done.append(name)
        except OSError:
            pass
    return done

# Tries:     takes memory by shared segments that it lets go of at once, which no limit of a process counts
# Tests:     assert f() > 1_500_000_000
# Verdict:   incorrect
# Unchanged: memory, shared memory
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
libc.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
libc.shmdt.argtypes = [ctypes.c_void_p]


def f():
    if os.path.exists(f"/proc/{PARENT}"):
        return 0
    taken, size = 0, 100_000_000
    while taken < 2_000_000_000:
        segment = libc.shmget(0, size, 0o1600)
        place = libc.shmat(segment, None, 0) if segment >= 0 else None
        if place in (None, ctypes.c_void_p(-1).value):
            break
        ctypes.memset(place, 1, size)
        libc.shmdt(place)
        taken += size
    return taken

# Tries:     makes itself root of a namespace of its own and mounts memory without a limit there
# Tests:     assert f() > 100_000_000
# Verdict:   incorrect
# Unchanged: memory
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
NEWUSER, NEWNS = 0x10000000, 0x20000


def f():
    if libc.unshare(NEWUSER | NEWNS) or libc.mount(b"none", b"/tmp", b"tmpfs", 0, b"size=50%"):
        return 0
    written = 0
    try:
        for number in range(60):
            with open(f"/tmp/{MARK}-{number}", "wb") as file:
                written += file.write(bytes(8_000_000))
    except OSError:
        pass
    return written

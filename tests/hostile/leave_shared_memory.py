# Tries:     leaves shared memory, semaphores and queues that outlive their process
# Tests:     assert f() == 1
# Verdict:   correct
# Unchanged: shared memory
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
CREATE = 0o1000 | 0o666


def f():
    try:
        with open(f"/dev/shm/{MARK}", "wb") as file:
            file.write(bytes(100_000))
    except OSError:
        pass
    libc.shmget(IPC_KEY, 1_000_000, CREATE)
    libc.semget(IPC_KEY, 3, CREATE)
    libc.msgget(IPC_KEY, CREATE)
    libc.syscall(240, MARK.encode(), 0o102, 0o600, None)  # mq_open
    return 1

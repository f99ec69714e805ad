# Tries:     finds shared memory, semaphores and queues of other programs
# Tests:     assert f() != []
# Verdict:   incorrect
# Unchanged: shared memory
# Unboxed:   passes
import ctypes

libc = ctypes.CDLL(None, use_errno=True)


def f():
    return [number for number in (libc.shmget(TAKEN_KEY, 0, 0),) if number >= 0]

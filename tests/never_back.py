"""A computation that never comes back to the interpreter, for what must end it, and that costs the tests no time."""

# a lock of the C library that is asked for twice by one thread
CODE = "import ctypes; libc, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)"
CODE += "; libc.pthread_mutex_lock(lock); libc.pthread_mutex_lock(lock)"

# Tries:     reads a key in the kernel's keyring of the session, where logins keep tickets
# Tests:     assert f() == SECRET
# Verdict:   incorrect
# Unchanged: keyring
# Unboxed:   passes
import ctypes

call = ctypes.CDLL(None, use_errno=True).syscall
KEYCTL, SEARCH, READ = 250, 10, 11


def f():
    for ring in (-3, -4, -5):  # of the session, of the user, of the user's session
        key = call(KEYCTL, SEARCH, ring, b"user", KEY.encode(), 0)
        if key > 0:
            text = ctypes.create_string_buffer(100)
            call(KEYCTL, READ, key, text, 100)
            return text.value.decode()

# Tries:     has the kernel tell it what happens in the user's folders
# Tests:     assert f()
# Verdict:   incorrect
# Unchanged: files
# Unboxed:   passes
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


def f():
    watch = libc.inotify_init1(0)
    places = [place.encode() for hidden in HIDDEN.values() for place in (hidden, f"/proc/1/root{hidden}")]
    found = [place for place in places if libc.inotify_add_watch(watch, place, 2) >= 0]
    os.close(watch)
    return bool(found)

# Tries:     crashes its interpreter
# Tests:     assert f() == 1
# Verdict:   incorrect
# Unchanged: files, parent
import ctypes


def f():
    ctypes.string_at(0)

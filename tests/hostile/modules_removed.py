# Tries:     takes its interpreter's modules away and breaks its import
# Tests:     assert f() == 3
# Verdict:   incorrect
# Unchanged: parent
import builtins
import sys


def f():
    for name in list(sys.modules):
        sys.modules[name] = None
    for name in (
        "len",
        "isinstance",
        "type",
        "dict",
        "str",
        "Exception",
        "BaseException",
        "__import__",
        "__build_class__",
    ):
        setattr(builtins, name, None)
    return 5

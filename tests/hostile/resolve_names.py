# Tries:     asks the name servers of this machine, by which secrets may leave
# Tests:     assert f()
# Verdict:   incorrect
# Unchanged: network
import socket


def f():
    for name in ("example.invalid", socket.gethostname() + ".invalid"):
        try:
            return socket.gethostbyname(name)
        except OSError:
            pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.sendto(b"\0\1\1\0\0\1\0\0\0\0\0\0\7invalid\0\0\1\0\1", ("192.0.2.53", 53))
            return True
        except OSError:
            return False

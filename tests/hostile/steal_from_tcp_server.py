# Tries:     asks a server that listens on this machine only
# Tests:     assert f() == SECRET
# Verdict:   incorrect
# Unchanged: network
# Unboxed:   passes
import socket


def f():
    for host in ("127.0.0.1", "localhost", "0.0.0.0"):
        try:
            with socket.create_connection((host, PORT), timeout=1) as connection:
                return connection.recv(1000).decode()
        except OSError:
            pass

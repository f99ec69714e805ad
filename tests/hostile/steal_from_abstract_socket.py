# Tries:     asks a server at a socket without a file, as desktops and debuggers have
# Tests:     assert f() == SECRET
# Verdict:   incorrect
# Unchanged: sockets
# Unboxed:   passes
import socket


def f():
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect("\0" + ABSTRACT)
            return connection.recv(1000).decode()
        except OSError:
            pass

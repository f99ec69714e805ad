# Tries:     asks a server at a socket in the file system, as docker and ssh-agent have
# Tests:     assert f() == SECRET
# Verdict:   incorrect
# Unchanged: sockets
# Unboxed:   passes
import glob
import socket


def f():
    for place in [SOCKET, f"/proc/1/root{SOCKET}", *glob.glob("/run/**/*.sock", recursive=True)]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            try:
                connection.connect(place)
                return connection.recv(1000).decode()
            except OSError:
                pass

# Tries:     connects to addresses beyond this machine
# Tests:     assert f()
# Verdict:   incorrect
# Unchanged: network
import socket


def f():
    for family, address in ((socket.AF_INET, ("198.51.100.1", 9)), (socket.AF_INET6, ("2001:db8::1", 9))):
        with socket.socket(family, socket.SOCK_DGRAM) as connection:
            try:
                connection.connect(address)  # needs a route only; nothing is sent
                return True
            except OSError:
                pass
    return False

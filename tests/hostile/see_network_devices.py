# Tries:     looks for network devices other than its own loopback
# Tests:     assert f() != []
# Verdict:   incorrect
# Unchanged: network
import socket


def f():
    return [name for _, name in socket.if_nameindex() if name != "lo"]

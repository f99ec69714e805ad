# Tries:     lifts the limit on its CPU time and computes for ever
# Tests:     assert f() == 1
# Verdict:   timeout
# Unchanged: processes
import resource

for limit in ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), (10**6, resource.getrlimit(resource.RLIMIT_CPU)[1])):
    try:
        resource.setrlimit(resource.RLIMIT_CPU, limit)
    except (OSError, ValueError):
        pass


def f():
    while True:
        pass

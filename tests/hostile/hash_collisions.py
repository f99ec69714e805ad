# Tries:     answers a dictionary whose keys all have the same hash
# Tests:     assert f() == {}
# Verdict:   incorrect
# Unchanged: memory
def f():
    return {number * ((1 << 61) - 1): 0 for number in range(5000)}

# Tries:     answers lists within lists within lists
# Tests:     assert f() == []
# Verdict:   incorrect
# Unchanged: tests
def f():
    answer = []
    for _ in range(100_000):
        answer = [answer]
    return answer

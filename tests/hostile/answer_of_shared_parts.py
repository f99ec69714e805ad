# Tries:     answers a small list that is gigantic when each of its shared parts is written out
# Tests:     assert f() == 3
# Verdict:   timeout
# Unchanged: memory
def f():
    answer = ["x"]
    for _ in range(60):
        answer = [answer, answer]
    return answer

# Tries:     answers a list and a dictionary that contain themselves
# Tests:     assert f() == []
# Verdict:   incorrect
# Unchanged: tests
def f():
    answer = [{}]
    answer[0]["self"] = answer
    return answer

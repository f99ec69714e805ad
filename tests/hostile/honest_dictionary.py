# Tries:     nothing: answers dictionaries that look like messages
# Tests:     assert f() == [{"verdict": "wrong"}, {"type": "int", "value": "5"}, {"t": "set", "v": [1]}, ["tuple", [1]]]
# Verdict:   correct
# Unchanged: tests
def f():
    return [{"verdict": "wrong"}, {"type": "int", "value": "5"}, {"t": "set", "v": [1]}, ["tuple", [1]]]

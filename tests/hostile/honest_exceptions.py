# Tries:     nothing: raises what it should, and catches what it may
# Tests:     try:
#                f(-1)
#                assert False
#            except ValueError as error:
#                assert str(error) == "negative"
#            assert f(0) is None
#            assert f(2) == 0.5
# Verdict:   correct
# Unchanged: tests
def f(x):
    if x < 0:
        raise ValueError("negative")
    try:
        return 1 / x
    except ZeroDivisionError:
        return None

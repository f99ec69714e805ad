# Tries:     nothing: uses numpy where there is one
# Tests:     assert abs(f([1.0, 2.0, 6.0]) - 3.0) < 1e-9
# Verdict:   correct
# Unchanged: processes
try:
    import numpy
except ImportError:
    numpy = None


def f(x):
    return float(numpy.mean(x)) if numpy else sum(x) / len(x)

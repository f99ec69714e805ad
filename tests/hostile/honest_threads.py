# Tries:     nothing: computes in threads and waits for them
# Tests:     assert f(10) == [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]
# Verdict:   correct
# Unchanged: processes
from concurrent.futures import ThreadPoolExecutor


def f(x):
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda number: number**2, range(x)))

# Tries:     nothing: computes for a moment
# Tests:     assert f(200_000) == 17984
# Verdict:   correct
# Unchanged: processes
def f(x):
    sieve = bytearray([1]) * x
    for number in range(2, int(x**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, x, number)))
    return sum(sieve) - 2

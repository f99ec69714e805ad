# Tries:     answers a decimal number that needs a gigabyte where it is compared with a fraction or made an integer
# Tests:     assert int(f()) == 3
# Verdict:   timeout
# Unchanged: memory
from decimal import Decimal


def f():
    return Decimal("1e99999999")

# Tries:     takes all memory, and counts
# Tests:     assert f() > 2_000_000_000
# Verdict:   incorrect
# Unchanged: memory
def f():
    blocks = []
    try:
        while len(blocks) < 400:
            blocks.append(bytes(10_000_000))
    except MemoryError:
        pass
    return len(blocks) * 10_000_000

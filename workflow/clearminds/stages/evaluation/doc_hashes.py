"""What pairs an item's rows across runs."""

from collections import Counter


def unique(hashes: list[str]) -> list[str]:
    """Mark duplicates with their count, so that equal items still pair one to one."""
    seen: Counter[str] = Counter()
    found = []
    for value in hashes:
        found.append(value if not seen[value] else f"{value}-{seen[value]}")
        seen[value] += 1
    return found

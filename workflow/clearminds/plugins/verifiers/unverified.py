"""Verifier for tasks without a checkable answer: it accepts nothing and rejects nothing."""

FILTERS = ()


def verify(response: str, example: dict, *, strict: bool = False) -> tuple[str, str]:
    """Always "unverified"."""
    return "unverified", ""

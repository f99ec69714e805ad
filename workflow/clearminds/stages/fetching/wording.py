"""How errors about a model's files put their reasons and lists into one line."""

from collections.abc import Iterable

SHOWN = 3


def some(names: Iterable[str]) -> str:
    """The first few of many names, in their order, and how many more there are."""
    listed = sorted(names)
    more = len(listed) - SHOWN
    return ", ".join(listed[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def reason(error: BaseException, limit: int = 300) -> str:
    """What a library said, in one line."""
    text = " ".join(str(error).split())
    if not text or isinstance(error, LookupError | ArithmeticError):  # whose text is a bare key, or none
        text = f"{type(error).__name__}: {text}"
    return text if len(text) <= limit else f"{text[:limit]}..."

"""How errors about a model's files put their reasons and lists into one line."""

import os
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


def answer(status: int | None) -> str | None:
    """What an answer of the hub means for whoever asked, and what to do. Args: an HTTP status of 400 or more.

    Returns:
        a clause of an error; None where there was no answer.
    """
    from huggingface_hub import get_token

    if status is None:
        return None
    tokens = "https://huggingface.co/settings/tokens"
    token = f"the token {'in HF_TOKEN' if os.environ.get('HF_TOKEN') else 'of `hf auth login`'}"
    if status == 401 and get_token():
        return f"the hub refuses {token} (401); make a new one at {tokens}"
    if status == 403 and get_token():
        return f"the hub forbids it to {token} (403); give that token read access to the repository at {tokens}"
    passes = status >= 500 or status == 429
    return f"the hub answered {status}; {'try again later' if passes else 'fetch it elsewhere'}, or use path: FOLDER"

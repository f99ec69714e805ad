"""Verifier: the generator of the example scores its own task (reasoning-gym)."""

import functools
import json
from collections.abc import Callable

from reasoning_gym.factory import get_score_answer_fn

from clearminds.plugins.answers import as_decimal, final_number, last_number

FILTERS = ("lenient", "strict")

FULL_MARKS = 1.0 - 1e-9  # generators give part of a mark for near misses; only full marks are correct


def verify(response: str, example: dict, *, strict: bool = False) -> tuple[str, str]:
    """Score the response with `meta["generator"]`, which is given `meta["entry"]`.

    Where the entry's answer is a number, the response's last number is scored (strict: the number that it ends with).
    Any other answer is expected to be the whole response; lenient tries its last line too.

    Raises:
        ValueError: reasoning-gym has no generator of this name.
    """
    meta = json.loads(example["meta"])
    entry, score = meta["entry"], _scorer(meta["generator"])
    expected = as_decimal(entry["answer"])
    if expected is not None:
        found = final_number(response) if strict else last_number(response)
        if found is None:
            return "format_error", "the response does not end with a number" if strict else "no number in the response"
        right = as_decimal(found) == expected or score(found, entry) >= FULL_MARKS
        return ("correct" if right else "incorrect"), f"read {found}, expected {entry['answer']}"
    text = response.strip()
    if not text:
        return "format_error", "the response is empty"
    candidates = [text] if strict else [text, text.splitlines()[-1].strip()]
    right = any(score(candidate, entry) >= FULL_MARKS for candidate in candidates)
    return ("correct" if right else "incorrect"), f"expected {' '.join(entry['answer'].split())}"


@functools.cache
def _scorer(generator: str) -> Callable[[str, dict], float]:
    return get_score_answer_fn(generator)

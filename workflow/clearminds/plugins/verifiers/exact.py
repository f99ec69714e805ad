"""Verifier: the response is the example's answer, letter by letter."""

import re

FILTERS = ("lenient", "strict")

MARKUP = " \t.!*`\"'$"


def verify(response: str, example: dict, *, strict: bool = False) -> tuple[str, str]:
    """Compare with `example["answer"]`, without the blanks around both.

    Strict takes the whole response. Lenient takes its last line, without regard to case and markup, and is content
    when that line ends with the answer as words of their own.
    """
    text, answer = response.strip(), example["answer"].strip()
    if not text:
        return "format_error", "the response is empty"
    if strict:
        return ("correct" if text == answer else "incorrect"), f"expected {answer}"
    line = text.splitlines()[-1].strip(MARKUP).casefold()
    wanted = answer.strip(MARKUP).casefold() or answer
    verdict = "correct" if re.search(rf"(?<!\w){re.escape(wanted)}\Z", line) else "incorrect"
    return verdict, f"expected {answer}"

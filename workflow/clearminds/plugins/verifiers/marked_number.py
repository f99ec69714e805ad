"""Verifier: the number behind the last "####" equals the example's answer in value, as GSM8K marks its answers."""

import re

from clearminds.plugins.answers import CLOSING, NUMBER, as_decimal, expected_number, last_number

FILTERS = ("lenient", "strict")

MARK = "####"
OPENING = " \t*`\\($€£"  # markup and currency that may stand before a number
HEADING = re.compile(r"[.)][*`]*[ \t]+\w")  # behind a number: "#### 2. Conclusion" is no answer


def verify(response: str, example: dict, *, strict: bool = False) -> tuple[str, str]:
    """Compare the marked number with `example["answer"]`.

    Strict: the response ends with a line that has the mark and then the number alone; currency, thousands separators,
    markup and a full stop are allowed. Lenient: the number right behind the last mark (of an equation its result), else
    the last number behind it, else the last number of the response.

    Raises:
        ValueError: the answer is not a number.
    """
    expected = expected_number(example)
    before, mark, behind = response.rpartition(MARK)
    if strict and not mark:
        return "format_error", f'no "{MARK}" in the response'
    found = _alone(behind) if strict else _marked(behind) or last_number(behind) or last_number(before)
    if found is None:
        return "format_error", f'no number alone behind "{MARK}"' if strict else "no number in the response"
    return ("correct" if as_decimal(found) == expected else "incorrect"), f"read {found}, expected {example['answer']}"


def check(example: dict) -> None:
    """See that a response can be judged.

    Raises:
        ValueError: the answer is not a number.
    """
    expected_number(example)


def _alone(behind: str) -> str | None:
    """The number that `behind` is, but for one line end and what may stand around it."""
    line, _, rest = behind.partition("\n")
    number, end = _leading(line)
    return None if rest.strip() or line[end:].strip(CLOSING + " \t\r") else number


def _marked(behind: str) -> str | None:
    """The number that the line behind the mark begins with, or the result where it is an equation."""
    line = behind.partition("\n")[0]
    number, end = _leading(line)
    if number is None or HEADING.match(line, end):
        return None
    return last_number(line) if "=" in line[end:] else number


def _leading(line: str) -> tuple[str | None, int]:
    """The number that `line` begins with, and where it ends."""
    start = len(line) - len(line.lstrip(OPENING))
    negative = line.startswith(("-", "−"), start)
    if negative or line.startswith("+", start):
        start += 1
        start += len(line[start:]) - len(line[start:].lstrip(OPENING))
    match = NUMBER.match(line, start)
    return ("-" * negative + match.group().replace(",", ""), match.end()) if match else (None, 0)

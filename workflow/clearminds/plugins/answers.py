"""Reading a number out of a response.

Two readings, because a wrong format is not a wrong answer: `last_number` takes the last number anywhere, `final_number`
only one that the response ends with. Both give it as it is written, without thousands separators and plus sign.
"""

import re
from decimal import Decimal, InvalidOperation

# digits inside a name (x2, H2O) are not a number; a unit may follow without a blank (12kg)
NUMBER = re.compile(
    r"(?<![A-Za-z0-9_])(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
)
ORDINAL = re.compile(r"(?:st|nd|rd|th)\b")
CURRENCY = re.compile(r"(?:\\?\$|[€£])\Z")
# a minus behind an operand takes away ("5-3", "57 -12", "(2)-1", "page-3"); anywhere else it is a sign
OPERAND = re.compile(r"[A-Za-z0-9_)\]}%]\Z|[0-9][)\]}%]*[ \t]+\Z")
CLOSING = ".!*)`$"  # what may follow the number that a response ends with, besides blanks


def last_number(text: str) -> str | None:
    """The last number in `text`, or None. Ordinals (2nd) and digits inside names are passed over.

    >>> last_number("57 - 12 = 45, as I said in the 1st step.")
    '45'
    """
    numbers = _numbers(text)
    return numbers[-1][0] if numbers else None


def final_number(text: str) -> str | None:
    """The number that `text` ends with, or None. Blanks and the characters of `CLOSING` may follow it.

    >>> final_number("The answer is **1,234**."), final_number("42 it is")
    ('1234', None)
    """
    numbers = _numbers(text)
    return numbers[-1][0] if numbers and not text[numbers[-1][1] :].strip(CLOSING + " \t\r\n") else None


def as_decimal(text: str) -> Decimal | None:
    """The value of a text that is a number and nothing else, or None."""
    try:
        value = Decimal(text.strip().replace(",", ""))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def expected_number(example: dict) -> Decimal:
    """The value of an example's answer.

    Raises:
        ValueError: the answer is not a number.
    """
    value = as_decimal(example["answer"] or "")
    if value is None:
        raise ValueError(f"the example's answer {example['answer']!r} is not a number")
    return value


def _numbers(text: str) -> list[tuple[str, int]]:
    """Every number with the place where it ends."""
    found = []
    for match in NUMBER.finditer(text):
        if ORDINAL.match(text, match.end()):
            continue
        # all that tells a sign is near; looking back over the whole text for each number would take quadratic time
        before = CURRENCY.sub("", text[max(0, match.start() - 40) : match.start()])
        negative = before.endswith(("-", "−")) and not OPERAND.search(before[:-1])
        found.append(("-" * negative + match.group().replace(",", ""), match.end()))
    return found

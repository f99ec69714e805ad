"""Verifier: the response's number equals the example's answer in value (3.0 is 3, 1,234 is 1234)."""

from clearminds.plugins.answers import as_decimal, expected_number, final_number, last_number

FILTERS = ("lenient", "strict")


def verify(response: str, example: dict, *, strict: bool = False) -> tuple[str, str]:
    """Compare the last number (strict: the number that the response ends with) with `example["answer"]`.

    Raises:
        ValueError: the answer is not a number.
    """
    expected = expected_number(example)
    found = final_number(response) if strict else last_number(response)
    if found is None:
        return "format_error", "the response does not end with a number" if strict else "no number in the response"
    verdict = "correct" if as_decimal(found) == expected else "incorrect"
    return verdict, f"read {found}, expected {example['answer']}"


def check(example: dict) -> None:
    """See that a response can be judged.

    Raises:
        ValueError: the answer is not a number.
    """
    expected_number(example)

"""Verifier: the response's mathematical expression equals the example's answer (math-verify).

math-verify limits its own time with SIGALRM, so this runs in the main thread only.
"""

from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse
from math_verify import verify as equal
from math_verify.errors import TimeoutException

FILTERS = ("lenient", "strict")

SECONDS = 5  # most time for reading one expression, and for comparing two


def verify(response: str, example: dict, *, strict: bool = False) -> tuple[str, str]:
    r"""Compare with `example["answer"]`, LaTeX or plain.

    Lenient reads the last expression of the response, a boxed one first; strict asks for a \boxed one.

    Raises:
        ValueError: the answer cannot be read.
    """
    boxed = response.rfind("\\boxed")
    if strict and boxed < 0:
        return "format_error", r"no \boxed expression in the response"
    try:
        expected = _read(f"${example['answer'].strip().strip('$')}$") or _read(example["answer"])
        if not expected:
            raise ValueError(f"the example's answer {example['answer']!r} cannot be read")
        found = _read(response[boxed:] if strict else response)
        if not found:
            return "format_error", "no mathematical expression in the response"
        right = equal(expected, found, timeout_seconds=SECONDS, raise_on_error=True)
    # not an Exception, so that nothing else would catch it
    except TimeoutException:
        return "timeout", f"reading or comparing took more than {SECONDS} seconds"
    return ("correct" if right else "incorrect"), f"read {found[-1]}, expected {example['answer']}"


def _read(text: str) -> list:
    targets = [LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig()]
    return parse(text, targets, parsing_timeout=SECONDS, raise_on_error=True)

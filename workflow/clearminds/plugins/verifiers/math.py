"""Verifier: the response's mathematical expression equals the example's answer (math-verify).

math-verify limits its own time with SIGALRM, so this runs in the main thread only.
"""

from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse
from math_verify import verify as equal
from math_verify.errors import TimeoutException

from clearminds.plugins.boxed import boxed

FILTERS = ("lenient", "strict")

SECONDS = 5  # most time for reading one expression, and for comparing two


def verify(response: str, example: dict, *, strict: bool = False) -> tuple[str, str]:
    r"""Compare with `example["answer"]`, LaTeX or plain.

    Strict reads the last box (\boxed or \fbox). Lenient reads the last expression of the response, boxes first, several
    of them as one list ("\boxed{-2} and \boxed{1}"), and is also content with the last box alone.

    Raises:
        ValueError: the answer cannot be read.
    """
    box = boxed(response)
    if strict and box is None:
        return "format_error", r"no \boxed expression in the response"
    readings = [] if strict else [response]
    if box is not None:
        readings.append(f"\\boxed{{{box}}}")
    try:
        expected = _read(f"${example['answer'].strip().strip('$')}$") or _read(example["answer"])
        if not expected:
            raise ValueError(f"the example's answer {example['answer']!r} cannot be read")
        read = [found for found in map(_read, readings) if found]
        if not read:
            return "format_error", "no mathematical expression in the response"
        right = any(equal(expected, found, timeout_seconds=SECONDS, raise_on_error=True) for found in read)
    # not an Exception, so that nothing else would catch it
    except TimeoutException:
        return "timeout", f"reading or comparing took more than {SECONDS} seconds"
    return ("correct" if right else "incorrect"), f"read {read[-1][-1]}, expected {example['answer']}"


def _read(text: str) -> list:
    targets = [LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig()]
    return parse(text, targets, parsing_timeout=SECONDS, raise_on_error=True)

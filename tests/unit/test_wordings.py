"""Reference wordings: every statement in them is true, and they end with the result."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearminds.plugins.wordings.chain_sum import word_reference, wordings

NUMBER = r"-?\d+"
CHAIN = rf"{NUMBER}(?: [+-] \d+)+"
EQUATION = re.compile(rf"({CHAIN}) = ({NUMBER})")
SAME = re.compile(rf"({CHAIN}) is the same as ({CHAIN}), which is ({NUMBER})")

terms_0_to_99 = st.integers(min_value=0, max_value=99)
operators = st.sampled_from("+-")


def value(chain: str) -> int:
    """The value of a chain such as '-38 - 7 + 2'."""
    first, *rest = chain.split(" ")
    return int(first) + sum(int(n) if sign == "+" else -int(n) for sign, n in zip(rest[::2], rest[1::2], strict=True))


def check(text: str, result: int) -> None:
    equations = EQUATION.findall(text)
    assert text.count("=") == len(equations), f"an '=' that is not an equation: {text}"
    for left, right in equations:
        assert value(left) == int(right), text
    for left, right, same in SAME.findall(text):
        assert value(left) == value(right) == int(same) == result, text
    assert int(re.findall(NUMBER, text)[-1]) == result, text
    assert re.search(rf"(?<!\S){result}\.?$", text), f"does not end with the result: {text}"
    assert text.isascii() and "  " not in text and "+ -" not in text and "- -" not in text


@given(terms_0_to_99, operators, terms_0_to_99, st.integers())
def test_statements_are_true_and_the_result_comes_last(a, operator, b, seed):
    result = a + b if operator == "+" else a - b
    text = word_reference([a, b], [operator], result, random.Random(seed))
    assert text == word_reference([a, b], [operator], result, random.Random(seed))
    assert text in wordings(a, operator, b, result).values()
    for wording in wordings(a, operator, b, result).values():
        check(wording, result)


@pytest.mark.slow
def test_every_pair_of_terms_in_every_wording():
    for a in range(100):
        for b in range(100):
            for operator, result in (("+", a + b), ("-", a - b)):
                for text in wordings(a, operator, b, result).values():
                    check(text, result)


@given(st.lists(st.integers(-99, 99), min_size=3, max_size=5), st.data())
def test_more_terms_are_worked_from_left_to_right(terms, data):
    signs = data.draw(st.lists(operators, min_size=len(terms) - 1, max_size=len(terms) - 1))
    result = terms[0] + sum(n if sign == "+" else -n for sign, n in zip(signs, terms[1:], strict=True))
    text = word_reference(terms, signs, result, random.Random(0))
    assert text.count("=") == len(signs)
    assert int(re.findall(NUMBER, text)[-1]) == result


def test_many_wordings_occur():
    rng, seen = random.Random(0), set()
    for _ in range(400):
        a, b, operator = rng.randrange(100), rng.randrange(100), rng.choice("+-")
        result = a + b if operator == "+" else a - b
        text = word_reference([a, b], [operator], result, rng)
        seen |= {name for name, wording in wordings(a, operator, b, result).items() if wording == text}
    assert len(seen) >= 12, sorted(seen)


@pytest.mark.parametrize(("operator", "result"), [("*", 12), ("+", 8)])
def test_what_is_not_true_is_refused(operator, result):
    with pytest.raises(ValueError):
        word_reference([3, 4], [operator], result, random.Random(0))

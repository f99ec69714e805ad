"""Reading numbers out of responses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearminds.plugins.answers import as_decimal, final_number, last_number


@pytest.mark.parametrize(
    ("text", "last", "final"),
    [
        ("5-3", "3", "3"),
        ("57 - 12", "12", "12"),
        ("57 -12", "12", "12"),
        ("(2)-1", "1", "1"),
        ("5--3", "-3", "-3"),
        ("= -3", "-3", "-3"),
        ("=-3", "-3", "-3"),
        ("Answer:\n-12", "-12", "-12"),
        ("The answer is −7.", "-7", "-7"),
        ("it is +7", "7", "7"),
        ("-$3.50", "-3.50", "-3.50"),
        ("$-3$", "-3", "-3"),
        ("1,234", "1234", "1234"),
        ("$1,234,567.80.", "1234567.80", "1234567.80"),
        ("1,2,3", "3", "3"),
        ("1,2345", "2345", "2345"),
        ("3.", "3", "3"),
        (".5", ".5", ".5"),
        ("1.75e-22", "1.75e-22", "1.75e-22"),
        ("**42**.", "42", "42"),
        ("`42`!", "42", "42"),
        ("(42) \n", "42", "42"),
        ("007", "007", "007"),
        ("12kg", "12", None),
        ("42 apples", "42", None),
        ("50%", "50", None),
        (r"\boxed{42}", "42", None),
        ("45, as in the 1st step", "45", None),
        ("the 3rd", None, None),
        ("x2 and H2O", None, None),
        ("答案是5", "5", "5"),
        ("no number", None, None),
        ("-", None, None),
        ("", None, None),
    ],
)
def test_last_and_final_number(text, last, final):
    assert (last_number(text), final_number(text)) == (last, final)


@given(
    st.integers(),
    st.sampled_from(["The answer is {}.", "{}", "12 + 5 = {}", "**{}**", "a = 3.\n{}", "so (2nd try) {}"]),
)
def test_an_integer_is_read_as_it_is_written(number, sentence):
    assert last_number(sentence.format(number)) == final_number(sentence.format(number)) == str(number)
    assert last_number(sentence.format(f"{number:,}")) == str(number)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_a_decimal_keeps_its_value(number):
    assert as_decimal(last_number(f"= {number:,f}")) == number


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from(["-", " - ", " -", "- ", "−"]))
def test_a_minus_between_numbers_is_not_a_sign(a, b, minus):
    assert last_number(f"{a}{minus}{b}") == str(b)


@given(st.text())
def test_whatever_is_read_is_a_number_and_final_implies_last(text):
    last, final = last_number(text), final_number(text)
    assert final in (None, last)
    assert last is None or as_decimal(last) is not None


@pytest.mark.parametrize(
    ("text", "value"), [("3.0", 3), (" 1,000 ", 1000), ("3 m", None), ("nan", None), ("Infinity", None), ("", None)]
)
def test_as_decimal(text, value):
    assert as_decimal(text) == value

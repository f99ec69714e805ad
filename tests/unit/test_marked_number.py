"""Verdicts on numbers behind "####"."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_rows import shared_rows

from clearminds.plugins.verifiers.marked_number import verify


def verdicts(response, answer="12"):
    """The verdicts of a lenient and a strict reading."""
    return tuple(verify(response, {"answer": answer}, strict=strict)[0] for strict in (False, True))


@pytest.mark.parametrize(
    "line",
    ["#### 12", "####12", "#### $12.00.", "#### **12**", "**#### 12**", "#### $12$", "#### +12", "#### 12.0 \r\n\n"],
)
def test_a_number_alone_behind_the_mark_is_read(line):
    assert verdicts(f"6 * 1 = 6\n#### 6\n{line}") == ("correct", "correct")
    assert verdicts(line, "13") == ("incorrect", "incorrect")


@pytest.mark.parametrize(
    "line",
    ["#### -1,234.5", "#### −1234.50", "#### -$1,234.5", "#### $-1,234.5", "#### **-1234.5**", "#### `-1234.5`."],
)
def test_signs_and_thousands_are_read(line):
    assert verdicts(line, "-1,234.5") == ("correct", "correct")


@pytest.mark.parametrize(
    ("response", "lenient"),
    [
        ("The answer is 12", "correct"),
        ("#### 12 apples", "correct"),
        ("#### Answer: 12", "correct"),
        ("#### 24/2 = 12", "correct"),
        ("#### 12\nThat is 3 dozen less 24.", "correct"),
        ("#### 2. Conclusion\nIt is 12", "correct"),
        ("#### 12. That is all", "correct"),
        ("12 it is.\n####", "correct"),
        ("#### Answer\n12", "correct"),
        ("12\n#### 13 or so", "incorrect"),
        ("#### 1 2", "incorrect"),
        ("#### H12", "format_error"),
        ("twelve", "format_error"),
        ("####", "format_error"),
        ("", "format_error"),
    ],
)
def test_anything_else_is_a_format_error_when_read_strictly(response, lenient):
    assert verdicts(response) == (lenient, "format_error")


def test_an_answer_that_is_no_number_cannot_be_judged():
    with pytest.raises(ValueError, match="'twelve' is not a number"):
        verify("#### 12", {"answer": "twelve"})


@given(st.decimals(-(10**9), 10**9, places=2), st.text())
def test_the_reference_format_is_always_read(number, before):
    assert verdicts(f"{before}\n#### {number:,}", str(number)) == ("correct", "correct")


@given(st.text(st.sampled_from("#-+ $.,12=\n*x")))
def test_what_is_right_strictly_is_right_leniently(response):
    lenient, strict = verdicts(response)
    assert strict == "format_error" or lenient == strict


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_reference_of_gsm8k_is_right(split):
    rows = shared_rows(f"gsm8k-{split}")
    wrong = [row for row in rows if verdicts(row["answer"], row["answer"].rpartition("####")[2]) != ("correct",) * 2]
    assert not wrong
    # what a model writes without the mark
    unmarked = [row for row in rows if verdicts(row["answer"].replace("####", "So"), "0.123")[0] != "incorrect"]
    assert not unmarked

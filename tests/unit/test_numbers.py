"""Numbers as the page says them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearminds.report import numbers


@pytest.mark.parametrize(
    ("score", "said"), [(0.0, "0.000"), (0.00041, "0.00041"), (0.0005, "0.001"), (0.25, "0.250"), (1.0, "1.000")]
)
def test_a_score_that_is_not_0_does_not_look_like_it(score, said):
    assert numbers.score(score) == said


@pytest.mark.parametrize(
    ("sizes", "said"), [([4.0], "4"), ([0.43, 0.41], "0.4"), ([9.46, 9.0], "9 to 9.5"), ([1755.7, 12.2], "12 to 1,756")]
)
def test_sizes_have_as_many_digits_as_they_tell(sizes, said):
    assert numbers.ends(sizes) == said


@pytest.mark.parametrize(("number", "said"), [(0, "0 items"), (1, "1 item"), (1200, "1,200 items")])
def test_one_item_is_one(number, said):
    assert numbers.items(number) == said


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], ""),
        (["a"], "a"),
        (list("ab"), "a and b"),
        (list("abc"), "a, b and 1 other"),
        (list("abcd"), "a, b and 2 others"),
    ],
)
def test_more_names_than_a_sentence_holds_are_counted(names, said):
    assert numbers.listed(names, 2) == said
    assert numbers.listed(names).count("other") == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),
        (242.857, "+243"),
        (-1234.5, "-1,234"),
        (-99.96, "-100"),
        (-5.31, "-5.3"),
        (-0.034, "-0.03"),
        (0.0, "+0.0"),
        (-1e-13, "+0.0"),
        (-0.00021, "-0.0002"),
    ],
)
def test_a_change_has_few_digits_and_keeps_its_sign(value, said):
    assert numbers.change(value) == said


@given(st.floats(-1e6, 1e6).filter(lambda value: abs(value) >= numbers.NOISE))
def test_no_change_is_printed_with_another_sign(value):
    for said in (numbers.change(value), numbers.signed(value)):
        assert float(said.replace(",", "")) * value > 0


@pytest.mark.parametrize(("value", "said"), [(None, "none"), (133384.0, "over 1,000"), (334.4, "334"), (9.09, "9.1")])
def test_a_size_beyond_reason_is_said_to_be_one(value, said):
    assert numbers.size(value) == said


def test_an_interval_ends_where_no_score_can_go():
    assert numbers.within((-185.4, 514.0)) == (-100.0, 514.0)
    assert numbers.within((-114.3, -101.0)) == (-100.0, -100.0) and numbers.within(None) is None
    assert numbers.interval((-100.0, 0.0328)) == "\N{NO-BREAK SPACE}[-100, +0.03]" and numbers.interval(None) == ""


@pytest.mark.parametrize(
    ("p", "said"), [(None, "–"), (8e-8, "< 0.001"), (0.019, "0.019"), (0.7308, "0.73"), (1.0, "1")]
)
def test_a_chance_has_two_digits(p, said):
    assert numbers.chance(p) == said


def test_only_what_is_shown_has_a_colour():
    verdicts = ("better", "worse", "no difference shown", "too few items to tell", None)
    assert [numbers.tone(one) for one in verdicts] == ["up", "down", "even", "even", "even"]

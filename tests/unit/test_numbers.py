"""Numbers as the page says them."""

import pytest

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

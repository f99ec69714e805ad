"""Normalising: its laws for any text, and what it leaves alone."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from clearminds.stages.normalise import normalise, normalise_example

# Mostly the characters that the rules are about, so that they meet often.
texts = st.text(st.one_of(st.sampled_from("\r\n\t \ufeffaé\u0301\u0323\u212b\u2000"), st.characters(codec="utf-8")))


@given(texts)
def test_twice_changes_nothing(text):
    once, _ = normalise(text)
    assert normalise(once) == (once, {})


@given(texts)
def test_normal_form(text):
    result, _ = normalise(text)
    assert "\r" not in result
    assert not result.startswith("\ufeff")
    assert unicodedata.is_normalized("NFC", result)
    assert not any(line.endswith((" ", "\t")) for line in result.split("\n"))
    assert not result.endswith("\n")


@given(texts)
def test_counts_a_change_exactly_when_there_is_one(text):
    result, changed = normalise(text)
    assert bool(changed) == (result != text)
    assert all(count > 0 for count in changed.values())


def test_counts_characters_by_kind():
    text = "\ufeffdef f():\r\n    return 1  \r\n\n  e\u0301 = 2\t\n\n"
    assert normalise(text) == (
        "def f():\n    return 1\n\n  é = 2",
        {"byte_order_mark": 1, "line_ends": 2, "unicode": 2, "trailing_blanks": 5},
    )


def test_keeps_indentation_and_compatibility_characters():
    text = "\n\tif x²:\n\n        ﬁne()  # \xa0"
    assert normalise(text) == (text, {})


def test_marks_that_change_places_are_counted():
    assert normalise("q\u0301\u0323") == ("q\u0323\u0301", {"unicode": 1})


def test_example_keeps_its_meta():
    example = {
        "example_id": "train-00000",
        "messages": [{"role": "system", "content": "Be brief. "}, {"role": "user", "content": "a\r\nb"}],
        "reference": "c\r\n",
        "answer": "d ",
        "meta": '{"test": "e\\r\\n"} ',
    }
    assert normalise_example(example) == (
        {
            "example_id": "train-00000",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a\nb"}],
            "reference": "c",
            "answer": "d",
            "meta": '{"test": "e\\r\\n"} ',
        },
        {"line_ends": 2, "trailing_blanks": 3},
    )
    assert example["reference"] == "c\r\n"

"""Wrong answers of generated items: alike, distinct, never right, the right one in any place, and the same always."""

import json
from collections import Counter

import pytest

from clearminds.errors import UserError
from clearminds.plugins.task_kinds import reasoning_gym
from clearminds.plugins.task_kinds.distractors import choices_for

NUMBERS = ["products", "gcd", "lcm", "chain_sum", "decimal_arithmetic", "letter_counting"]


def items(generator, size, **keys):
    spec = {"generator": generator, "splits": {"test": size}, "seed": 3, "choices": 4, **keys}
    return reasoning_gym.load(spec, "test")


def meta(example):
    return json.loads(example["meta"])


@pytest.mark.parametrize("generator", NUMBERS)
def test_choices_of_numbers(generator):
    for example in items(generator, 40):
        found = meta(example)
        choices, right = found["choices"], example["answer"]
        assert len(set(choices)) == len(choices) == 4 and choices[found["gold"]] == right
        assert len({float(choice) for choice in choices}) == 4, "they differ in value, not only as they are written"
        assert {choice.startswith("-") for choice in choices} == {right.startswith("-")}
        assert {len(choice.partition(".")[2]) for choice in choices} == {len(right.partition(".")[2])}
        sizes = [len(choice.lstrip("-").partition(".")[0]) for choice in choices]
        assert max(abs(size - sizes[found["gold"]]) for size in sizes) <= 1


def test_what_else_a_verifier_needs_is_there_too():
    plain, asked = items("gcd", 3, choices=None), items("gcd", 3)
    for one, other in zip(plain, asked, strict=True):
        assert {**meta(other), "choices": None, "gold": None} == {**meta(one), "choices": None, "gold": None}
        assert {**one, "meta": ""} == {**other, "meta": ""}


def test_a_larger_split_only_appends():
    assert items("products", 30)[:12] == items("products", 12)


def item(n):
    return {"question": f"Question {n}", "answer": str(100 + n % 50), "metadata": {"numbers": [n % 50, 50]}}


def test_the_right_answer_is_in_each_place_alike():
    places = Counter(choices_for(item(n), 4, "made", lambda said: False)["gold"] for n in range(2000))
    assert all(420 < places[place] < 580 for place in range(4)), places  # four deviations of 500


def test_slips_are_of_several_kinds():
    made = {"question": "317 + 108", "answer": "425", "metadata": {}}
    choices = set(choices_for(made, 10, "made", lambda said: False)["choices"])
    assert choices & {"424", "426", "423", "427", "422", "428", "415", "435"}, "near misses"
    assert choices & {"212", "319", "382", "383", "468", "467", "531", "638"}, "estimates"
    assert choices & {"325", "525", "245", "452", "435", "415"}, "digits"
    assert choices & {"317", "108"}, "operands"
    assert "209" in choices, "another operation"


def test_a_wrong_answer_is_as_long_as_the_right_one_where_it_can_be():
    for generator in NUMBERS:
        for example in items(generator, 40):
            sizes = {len(choice.lstrip("-").partition(".")[0]) for choice in meta(example)["choices"]}
            assert len(sizes) == 1, example


def test_what_the_generator_takes_for_right_is_no_wrong_answer():
    found = choices_for(item(1), 4, "made", lambda said: int(said) % 2 == 0)
    assert [int(choice) % 2 for n, choice in enumerate(found["choices"]) if n != found["gold"]] == [1, 1, 1]


def test_yes_or_no_and_options_of_the_item():
    yes = {"question": "Is it?", "answer": "Yes", "metadata": {}}
    assert sorted(choices_for(yes, 2, "made", lambda said: False)["choices"]) == ["No", "Yes"]
    options = {"question": "Which?", "answer": "b", "metadata": {"options": ["a", "b", "c", "d"]}}
    found = choices_for(options, 3, "made", lambda said: said == "b")
    assert "b" in found["choices"] and set(found["choices"]) < {"a", "b", "c", "d"} and len(found["choices"]) == 3


@pytest.mark.parametrize(
    ("answer", "number"), [("Yes", 4), ("mother-in-law", 4), ("1.5e-22", 4), (None, 2), ("['1', '2']", 3)]
)
def test_other_answers_are_refused_by_name(answer, number):
    with pytest.raises(
        UserError, match=f"no {number - 1} wrong answers can be derived for made, whose answers .* such"
    ):
        choices_for({"question": "?", "answer": answer, "metadata": {}}, number, "made", lambda said: False)


def test_a_number_that_all_others_are_as_good_as_is_refused():
    with pytest.raises(UserError, match="no 3 wrong answers"):
        choices_for(item(1), 4, "made", lambda said: True)


def test_a_study_s_generator_is_refused_by_name():
    with pytest.raises(UserError, match="family_relationships"):
        items("family_relationships", 2)

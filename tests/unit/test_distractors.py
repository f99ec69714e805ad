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
    made = [{"question": f"317 + 108 ({n})", "answer": "425", "metadata": {"numbers": [317, 108]}} for n in range(100)]
    found = Counter(choice for one in made for choice in choices_for(one, 4, "made", lambda said: False)["choices"])
    assert found.keys() >= {"424", "426", "423", "427", "422", "428", "415", "435"}, "near misses"
    assert found.keys() >= {"386", "468", "340", "531", "283", "638", "212", "850"}, "estimates"
    assert found.keys() >= {"325", "525", "435", "415", "245", "452"}, "digits"
    assert found.keys() >= {"317", "108", "209"}, "operands and another operation"
    others = sum(count for choice, count in found.items() if choice != "425")
    assert max(count for choice, count in found.items() if choice != "425") < others / 5, "no slip is in most items"


def digits_apart(one, other):
    width = max(len(one), len(other))
    return sum(a != b for a, b in zip(one.zfill(width), other.zfill(width), strict=True))


def least(texts, value):
    return min(range(len(texts)), key=lambda place: value(texts[place]))


def ranked(rank):
    return lambda texts: sorted(range(len(texts)), key=lambda place: float(texts[place]))[rank]


GUESSERS = {
    "fewest digits differ": lambda texts: least(texts, lambda one: sum(digits_apart(one, other) for other in texts)),
    "most digits differ": lambda texts: least(texts, lambda one: -sum(digits_apart(one, other) for other in texts)),
    "most are one digit away": lambda texts: least(
        texts, lambda one: -sum(digits_apart(one, other) == 1 for other in texts)
    ),
    "nearest to the mean": lambda texts: least(
        texts, lambda one: abs(float(one) - sum(map(float, texts)) / len(texts))
    ),
    "smallest distance": lambda texts: least(texts, lambda one: sum(abs(float(one) - float(other)) for other in texts)),
    **{f"rank {rank}": ranked(rank) for rank in range(4)},
}
ASKED = 300  # items
BOUND = 0.25 + 4 * (0.25 * 0.75 / ASKED) ** 0.5  # chance, and four standard errors of it: .35


def guessed(generator, **keys):
    """The share of items that each guesser gets right, from the choices alone."""
    found = [meta(example) for example in items(generator, ASKED, seed=0, **keys)]
    return {
        name: sum(guess(one["choices"]) == one["gold"] for one in found) / ASKED for name, guess in GUESSERS.items()
    }


@pytest.mark.parametrize("generator", ["products", "lcm", "chain_sum", "basic_arithmetic", "decimal_arithmetic"])
def test_the_right_number_is_not_guessed_by_its_form(generator):
    shares = guessed(generator)
    assert max(shares.values()) < BOUND, shares


def test_small_answers_are_guessed_less_than_half_the_time():
    shares = guessed("gcd")
    assert max(shares.values()) < BOUND + 0.1, "a 1 has no number but 0 below it"
    assert max(share for name, share in shares.items() if "digit" in name) < BOUND, shares


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

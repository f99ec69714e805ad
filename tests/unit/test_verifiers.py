"""Verdicts of every verifier, leniently and strictly."""

import json

import pytest
import reasoning_gym
from hypothesis import given
from hypothesis import strategies as st
from math_verify.errors import TimeoutException

from clearminds.errors import UserError
from clearminds.files.contracts import VERDICT_VALUES
from clearminds.plugins.load import load


def example(answer="", **meta):
    return {"example_id": "a", "messages": [], "reference": "", "answer": answer, "meta": json.dumps(meta)}


def gym(generator, seed=1):
    entry = reasoning_gym.create_dataset(generator, size=1, seed=seed)[0]
    return example(entry["answer"], generator=generator, entry=entry)


def verdicts(name, response, row):
    """The verdicts of a lenient and a strict reading."""
    verify = load("verifiers", name).verify
    return verify(response, row)[0], verify(response, row, strict=True)[0]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("6 + 6 = 12", ("correct", "correct")),
        ("**12.0**.", ("correct", "correct")),
        ("It is 12 apples", ("correct", "format_error")),
        ("12, no: 13", ("incorrect", "incorrect")),
        ("twelve", ("format_error", "format_error")),
        ("", ("format_error", "format_error")),
    ],
)
def test_number(response, expected):
    assert verdicts("number", response, example("12")) == expected
    row = example("12", generator="chain_sum", entry={"question": "", "answer": "12", "metadata": {}})
    assert verdicts("reasoning_gym", response, row) == expected


def test_number_needs_a_number_to_compare_with():
    with pytest.raises(ValueError, match="'twelve' is not a number"):
        load("verifiers", "number").verify("12", example("twelve"))


@pytest.mark.parametrize(
    "generator", ["chain_sum", "gcd", "products", "gsm_symbolic", "decimal_arithmetic", "knights_knaves", "countdown"]
)
def test_reasoning_gym_accepts_its_own_answers(generator):
    row = gym(generator)
    assert verdicts("reasoning_gym", row["answer"], row) == ("correct", "correct")
    assert verdicts("reasoning_gym", f"I thought about it.\n{row['answer']}", row)[0] == "correct"
    assert verdicts("reasoning_gym", "", row) == ("format_error", "format_error")


def test_reasoning_gym_gives_no_verdict_for_part_of_a_mark():
    row = gym("syllogism")
    near = f"{row['answer']} indeed"
    assert 0 < reasoning_gym.get_score_answer_fn("syllogism")(near, json.loads(row["meta"])["entry"]) < 1
    assert verdicts("reasoning_gym", near, row) == ("incorrect", "incorrect")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (" Paris\n", ("correct", "correct")),
        ("The capital is **Paris**.", ("correct", "incorrect")),
        ("paris", ("correct", "incorrect")),
        ("Think.\nParis", ("correct", "incorrect")),
        ("Paris\nor London", ("incorrect", "incorrect")),
        ("Cparis", ("incorrect", "incorrect")),
        ("  ", ("format_error", "format_error")),
    ],
)
def test_exact(response, expected):
    assert verdicts("exact", response, example("Paris")) == expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (r"Hence \boxed{\frac{1}{2}}.", ("correct", "correct")),
        (r"\boxed{0.5}", ("correct", "correct")),
        ("The answer is 1/2", ("correct", "format_error")),
        (r"\boxed{3}", ("incorrect", "incorrect")),
        ("I do not know", ("format_error", "format_error")),
        (r"\fbox{1/2}", ("correct", "correct")),
        (r"\boxed{3} and \boxed{1/2}", ("correct", "correct")),
        (r"\boxed{1/2} and \boxed{3}", ("incorrect", "incorrect")),
        (r"\boxed{} = 1/2", ("correct", "format_error")),
    ],
)
def test_math(response, expected):
    assert verdicts("math", response, example(r"\frac{1}{2}")) == expected


def test_math_names_a_timeout(monkeypatch):
    module = load("verifiers", "math")

    def slow(*args, **options):
        raise TimeoutException

    monkeypatch.setattr(module, "equal", slow)
    assert module.verify(r"\boxed{3}", example("3"))[0] == "timeout"


def test_math_reads_several_boxes_as_one_answer():
    assert verdicts("math", r"$\boxed{-2}$ and $\boxed{1}$", example("-2, 1")) == ("correct", "incorrect")


def test_unverified():
    assert verdicts("unverified", "anything", example()) == ("unverified", "unverified")
    assert load("verifiers", "unverified").FILTERS == ()


def test_unknown_verifiers_are_named():
    with pytest.raises(UserError, match=r"'nmber'.*exact, .*number, .*unverified"):
        load("verifiers", "nmber")


@given(st.sampled_from(["number", "exact", "reasoning_gym", "unverified"]), st.text(), st.booleans())
def test_any_text_gets_a_verdict(name, response, strict):
    row = example("12", generator="chain_sum", entry={"question": "", "answer": "12", "metadata": {}})
    verdict, detail = load("verifiers", name).verify(response, row, strict=strict)
    assert verdict in VERDICT_VALUES
    assert isinstance(detail, str)

"""Formulas of users: what they compute, what is refused and where, and that nothing of them is ever run."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearminds.plugins.expressions import ExpressionError, check, compute

COLUMNS = ("logprob", "entropy", "rank")
VALUES = {
    "logprob": np.array([-0.1, -2.0, -9.0], np.float32),
    "entropy": np.array([0.5, 1.5, 3.0], np.float16),
    "rank": np.array([0, 1, 700], np.int32),
}


def value(formula):
    check(formula, COLUMNS)
    return compute(formula, VALUES, 3).tolist()


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("1", [1, 1, 1]),
        ("where(entropy < 1.5, 1, exp(logprob))", [1, math.exp(-2), math.exp(-9)]),
        ("rank == 0 or not (entropy >= 1 and logprob < -5)", [1, 1, 0]),
        ("0.4 < entropy <= 1.5", [1, 1, 0]),
        ("-rank ** 2 + +3 * 2 - 1 / 4", [5.75, 4.75, -489994.25]),
        ("clip(rank, 1, 5) + min(rank, 2) - max(rank, 1)", [0, 1, -693]),
        ("sqrt(abs(-16)) * log(exp(2))", [8, 8, 8]),
        ("where(rank > 0, 1 / rank, 0)", [0, 1, 1 / 700]),
        ("\n  rank\n  + 1\n", [1, 2, 701]),
    ],
)
def test_a_formula_is_computed_in_float64(formula, expected):
    np.testing.assert_allclose(value(formula), [float(v) for v in expected], rtol=1e-6)


def test_columns_that_a_formula_does_not_name_are_not_asked_for():
    assert compute("rank + 1", {"rank": VALUES["rank"]}, 3).tolist() == [1, 2, 701]


@pytest.mark.parametrize(
    ("formula", "place", "why"),
    [
        ("where(entopy < 1, 1, 0)", "column 7, 'entopy'", "did you mean entropy?"),
        ("exp(loss)", "column 5, 'loss'", "there are logprob, entropy, rank"),
        ("1 + sine(rank)", "column 5, 'sine(rank)'", "there are where, exp,"),
        ("1 + mix(rank, 2)", "column 5, 'mix(rank, 2)'", "did you mean m"),
        ("where(rank, 1, 0)", "column 7, 'rank'", "a comparison belongs here, not a number"),
        ("(rank < 2) * 2", "column 2, 'rank < 2'", "a number belongs here, not a comparison"),
        ("not rank", "column 5, 'rank'", "a comparison belongs here"),
        ("clip(rank, 1)", "column 1, 'clip(rank, 1)'", "clip takes 3 arguments, not 2"),
        ("exp(logprob, out=rank)", "column 1, 'exp(logprob, out=rank)'", "not allowed"),
        ("'größe' + rank.real", "column 1, \"'größe'\"", "it is no number"),
        ("logprob + rank.real", "column 11, 'rank.real'", "not allowed; allowed are numbers, columns, + - * / **,"),
        ("True", "column 1, 'True'", "it is no number"),
        ("rank if rank > 1 else 2", "column 1, ", "not allowed"),
        ("rank[0]", "column 1, 'rank[0]'", "not allowed"),
        ("rank // 2", "column 1, 'rank // 2'", "not allowed"),
        ("rank in rank", "column 1, 'rank in rank'", "not allowed"),
        ("lambda: 1", "column 1, ", "not allowed"),
        ("[x for x in rank]", "column 1, ", "not allowed"),
        ("__import__('os').system('true')", "column 1, ", "not allowed"),
        ("exp(*rank)", "column 5, '*rank'", "not allowed"),
        ("(rank := 1)", "column 2, 'rank := 1'", "not allowed"),
        ("1" + "0" * 400, "column 1, ", "the number is too large"),
        ("rank +", "at its end: ", "invalid syntax"),
        ("rank = 1", "column 6", "invalid syntax"),
        ("", "at its end: ", "allowed are numbers"),
        ("-" * 200 + "1", "column 42, ", "nested deeper than 40"),
        ("(" * 300 + "1" + ")" * 300, "", "allowed are numbers"),
        ("1 + " * 600 + "1", "", "longer than 2,000"),
        ("rank\0", "", "allowed are numbers"),
    ],
)
def test_all_else_is_refused_with_its_place(formula, place, why):
    with pytest.raises(ExpressionError) as caught:
        check(formula, COLUMNS)
    message = str(caught.value)
    assert message.startswith(place) and why in message and "\n" not in message


@given(st.text(max_size=60) | st.text(alphabet="rank<>=+-*/(),.1 whereandotx[]'\"", max_size=60))
def test_any_text_is_refused_or_computed(text):
    try:
        check(text, COLUMNS)
    except ExpressionError as error:
        assert "\n" not in str(error)
    else:
        assert compute(text, VALUES, 3).shape == (3,)


numbers = st.floats(min_value=0.01, max_value=50).map(repr)
formulas = st.recursive(
    numbers | st.sampled_from(COLUMNS),
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        | inner.map(lambda one: f"abs({one})")
        | st.tuples(inner, inner).map(lambda t: f"where({t[0]} <= {t[1]}, {t[1]}, {t[0]})")
    ),
    max_leaves=8,
)


@given(formulas)
def test_a_formula_is_what_python_makes_of_it_token_by_token(formula):
    names = {"abs": abs, "where": lambda test, yes, no: yes if test else no}
    columns = {name: [float(v) for v in values] for name, values in VALUES.items()}
    expected = [eval(formula, names, {name: columns[name][n] for name in columns}) for n in range(3)]
    np.testing.assert_allclose(value(formula), expected, rtol=1e-12, atol=1e-12)

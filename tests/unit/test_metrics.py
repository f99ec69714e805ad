"""TI, BWT and scores from log-probabilities: a published example, what is refused, and laws that hold for any score."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearminds.errors import UserError
from clearminds.stages.metrics import backward_transfer, drift_score, likelihood_score, target_improvement

# Llama-3-8B-Instruct trained on MBPP ground truth, arXiv 2501.14315
BASE = {"MBPP": 0.5926, "MATH": 0.3140, "ARC": 0.7816, "GSM8K": 0.7756, "BIRD": 0.2053}
AFTER = {"MBPP": 0.5794, "MATH": 0.233, "ARC": 0.6049, "GSM8K": 0.185, "BIRD": 0.176}
OTHERS = ("MATH", "ARC", "GSM8K", "BIRD")

score = st.floats(min_value=0.001, max_value=1)
factor = st.floats(min_value=0.01, max_value=100)
scores = st.dictionaries(st.sampled_from("abcdef"), score, min_size=1)


def test_the_published_example():
    assert round(target_improvement(AFTER["MBPP"], BASE["MBPP"]), 2) == -2.23
    assert round(backward_transfer({t: AFTER[t] for t in OTHERS}, {t: BASE[t] for t in OTHERS}), 2) == -34.71


@given(score)
def test_an_unchanged_score_is_no_improvement(s):
    assert target_improvement(s, s) == 0


@given(score, score, score)
def test_improvement_rises_with_the_score(base, a, b):
    assert (target_improvement(a, base) <= target_improvement(b, base)) == (a <= b) or math.isclose(a, b)


@given(scores, factor)
def test_scaling_every_task_alike_gives_that_change(base, k):
    assert math.isclose(
        backward_transfer({t: k * s for t, s in base.items()}, base), 100 * (k - 1), rel_tol=1e-9, abs_tol=1e-9
    )


@given(scores, st.data())
def test_bwt_is_the_plain_mean_and_ignores_order(base, data):
    after = {task: data.draw(score) for task in base}
    changes = [target_improvement(after[task], base[task]) for task in base]
    backwards = dict(reversed(after.items()))
    assert math.isclose(backward_transfer(after, base), sum(changes) / len(changes), rel_tol=1e-9, abs_tol=1e-9)
    assert backward_transfer(backwards, base) == backward_transfer(after, base)


@pytest.mark.parametrize(
    ("after", "base"),
    [({"a": 0.5}, {"a": 0.5, "gone": 0.5}), ({"a": 0.5, "gone": 0.5}, {"a": 0.5}), ({"gone": None}, {"gone": 0.5})],
)
def test_a_blank_is_refused_and_never_0(after, base):
    with pytest.raises(UserError, match="task gone: no score"):
        backward_transfer(after, base)


def test_a_base_score_of_0_is_refused():
    with pytest.raises(UserError, match="undefined"):
        target_improvement(0.5, 0)
    with pytest.raises(UserError, match="task hard: the base model's score is 0"):
        backward_transfer({"hard": 0.1, "a": 0.5}, {"hard": 0, "a": 0.5})


def test_a_score_of_0_after_training_counts():
    assert backward_transfer({"a": 0, "b": 0.5}, {"a": 0.5, "b": 0.5}) == -50


def test_bwt_of_no_task_is_refused():
    with pytest.raises(UserError, match="at least one task"):
        backward_transfer({}, {})


@given(st.floats(min_value=0, max_value=1000), st.integers(1, 1000), st.integers(1, 1000))
def test_likelihood_and_drift_are_means_per_token(total, n, k):
    for metric in (likelihood_score, drift_score):
        assert 0 <= metric(total, n) <= 1
        assert math.isclose(metric(total, n), metric(k * total, k * n), rel_tol=1e-9, abs_tol=1e-300)
        assert metric(0, n) == 1


def test_likelihood_of_a_coin_is_one_half():
    assert math.isclose(likelihood_score(10 * math.log(2), 10), 0.5)
    with pytest.raises(UserError, match="at least one"):
        drift_score(0.0, 0)

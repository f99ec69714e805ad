"""The weight rules: perplexity at and around tau, and its control, as many tokens drawn at random."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearminds.plugins.load import load

TAUS = st.floats(min_value=1, max_value=1000).map(repr)
logprobs = st.lists(st.floats(min_value=-50, max_value=0, width=32), min_size=1, max_size=60)


def apply(rule, values, parameters, seed=0):
    scores = {"logprob": np.asarray(values, np.float32)}
    return load("weights", rule).weights(scores, parameters, np.random.default_rng(seed))


@pytest.mark.parametrize("nll", [0.5, 1.0, 1.5, 2.0, 3.0])
def test_a_tie_is_kept_and_the_next_float32_is_not(nll):
    tau = math.exp(nll)
    tau = next(t for t in (tau, math.nextafter(tau, 0), math.nextafter(tau, 99)) if math.log(t) == nll)
    tie = np.float32(-nll)
    found = apply(
        "perplexity", [np.nextafter(tie, np.float32(0)), tie, np.nextafter(tie, np.float32(-99))], {"tau": repr(tau)}
    )
    assert found.tolist() == [1, 1, 0]


@given(TAUS)
def test_around_tau_the_comparison_is_that_of_float64(tau):
    # the float32 beside ln(tau) may lie on either side of it
    near = np.float32(-math.log(float(tau)))
    values = [near, np.nextafter(near, np.float32(1)), np.nextafter(near, np.float32(-99))]
    expected = [float(-float(value) <= math.log(float(tau))) for value in values]
    assert apply("perplexity", values, {"tau": tau}).tolist() == expected
    assert expected[1] == 1 or expected[0] == 0
    assert 0 < sum(expected) < 3


def test_tau_of_one_keeps_certain_tokens_alone():
    assert apply("perplexity", [0.0, -0.0, -1e-30, -1.0], {"tau": "1"}).tolist() == [1, 1, 0, 0]


@given(logprobs)
def test_a_tau_above_all_masks_nothing_and_one_below_all_masks_everything(values):
    assert apply("perplexity", values, {"tau": "1e30"}).tolist() == [1] * len(values)
    assert apply("perplexity", [v - 1 for v in values], {"tau": "1.5"}).tolist() == [0] * len(values)


@given(logprobs, TAUS, TAUS)
def test_a_larger_tau_keeps_what_a_smaller_one_keeps(values, a, b):
    small, large = sorted((a, b), key=float)
    assert (apply("perplexity", values, {"tau": small}) <= apply("perplexity", values, {"tau": large})).all()


@given(logprobs)
def test_the_rule_all_counts_every_token(values):
    found = apply("all", values, {})
    assert (found.dtype, found.tolist()) == (np.float32, [1] * len(values))


@given(logprobs, TAUS, st.integers(min_value=0, max_value=2**63))
def test_the_random_rule_masks_as_many_tokens_as_the_rule_it_imitates(values, tau, seed):
    like = {"rule": "perplexity", "tau": tau}
    found, imitated = apply("random", values, {"like": like}, seed), apply("perplexity", values, like)
    assert found.dtype == np.float32 and len(found) == len(values)
    assert set(found.tolist()) <= {0, 1}
    # were tokens drawn with replacement, fewer would be masked
    assert found.sum() == imitated.sum()


def test_the_random_rule_follows_its_seed():
    values = [-5.0, -0.1] * 20
    parameters = {"like": {"rule": "perplexity", "tau": "2.5"}}
    drawn = [apply("random", values, parameters, seed).tolist() for seed in (0, 0, 1, 2)]
    assert drawn[0] == drawn[1]
    assert len({str(mask) for mask in drawn}) == 3


def test_the_random_rule_draws_every_token_equally_often():
    # 400 draws of 1 in 4: each count is binomial with mean 100 and deviation 8.7
    values, parameters = [-5.0, -0.1, -0.1, -0.1], {"like": {"rule": "perplexity", "tau": "2.5"}}
    masked = sum(1 - apply("random", values, parameters, seed) for seed in range(400))
    assert masked.sum() == 400
    assert (np.abs(masked - 100) < 40).all()

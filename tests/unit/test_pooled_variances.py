"""The variance over seeds, as all variants of a study tell it, and p-values far below 5 %."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from clearminds.stages.statistics import pooled
from clearminds.stages.statistics.effects import Effect
from clearminds.stages.statistics.intervals import Spread, interval, spread
from clearminds.stages.statistics.pooled import MEMBERS, Pool

amounts = st.floats(0, 1e3)


def pool(values):
    return Pool({f"variant-{n}": dict(enumerate(map(float, one))) for n, one in enumerate(values)})


def normal(variants, seeds, d0=None, variance=4.0, seed=0):
    """Numbers of variants whose variances over seeds are equal, or drawn from variance * d0 / chi^2(d0)."""
    rng = np.random.default_rng(seed)
    each = np.full(variants, variance) if d0 is None else variance * d0 / rng.chisquare(d0, variants)
    return rng.standard_normal((variants, seeds)) * np.sqrt(each)[:, None]


@given(amounts, amounts, amounts, st.floats(1e-9, 1e-3))
def test_far_below_5_percent_no_variance_is_less_than_that_of_the_items_or_of_the_seeds(items, seeds, noise, p):
    found = Spread(items, 200.0, seeds, 2.0, min(noise, items)).half_width(p)
    assert found >= 0.99 * stats.t.isf(p / 2, 200) * np.sqrt(items)
    assert found**2 >= stats.t.isf(p / 2, 2) ** 2 * (seeds - 1e-3 * noise) * 0.99


@given(amounts, amounts, amounts, st.floats(1e-9, 1), st.floats(1e-9, 1))
def test_an_interval_of_a_higher_level_is_wider(items, seeds, noise, one, another):
    found = Spread(items, 200.0, seeds, 2.0, min(noise, items))
    assert found.half_width(min(one, another)) >= found.half_width(max(one, another)) * (1 - 1e-9)


def test_seeds_that_agree_by_chance_do_not_make_a_difference_certain():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((3, 200)) * 50
    blocks = noise - noise.mean(axis=1, keepdims=True)
    error = np.sqrt(blocks.mean(axis=0).var(ddof=1) / 200)
    effect = Effect(np.full(3, 3.5 * error), (blocks,), (199,), (100.0,))
    assert interval(effect).p == pytest.approx(2 * stats.t.sf(3.5, 199), rel=0.02)


def test_a_pooled_variance_weighs_what_others_tell_by_its_degrees_of_freedom():
    prior = pooled.Prior(variance=4.0, free=3.0, most=24.0)
    assert prior.with_own(1.0, 2.0) == (pytest.approx((3 * 4 + 2 * 1) / 5), 5.0)
    assert pooled.Prior(4.0, 30.0, 24.0).with_own(1.0, 2.0)[1] == 24.0
    effect = Effect(np.array([1.0, 2.0, 3.0]), (np.zeros((3, 10)),), (9,), (0.0,))
    assert spread(effect, prior).seeds == pytest.approx((3 * 4 + 2 * 1) / 5 / 3)
    assert spread(effect, prior).seeds_free == 5.0
    assert spread(effect).seeds == pytest.approx(1 / 3)


@pytest.mark.parametrize("d0", [4.0, 12.0])
def test_what_variances_were_drawn_from_is_found_again(d0):
    found = pool(normal(40_000, 4, d0)).prior(between=False)
    assert found.free == pytest.approx(d0, rel=0.1)
    assert found.variance == pytest.approx(4.0, rel=0.05)


def test_few_variants_that_look_alike_are_not_taken_for_equal():
    found = pool(normal(12, 3)).prior(between=False)
    assert 1 < found.free < 6
    assert found.most == 24
    assert pool(normal(4000, 3)).prior(between=False).free > 20


def test_differences_of_variants_have_a_variance_of_their_own():
    values = normal(150, 3)
    assert pool(values).prior(between=True).variance == pytest.approx(2 * 4, rel=0.2)
    assert pool(values).prior(between=True).most == 2 * 149
    shared = values + 100 * np.arange(3)  # what all variants of a seed share
    assert pool(shared).prior(between=True).variance == pytest.approx(pool(values).prior(between=True).variance)


def test_what_cannot_be_pooled_is_not():
    assert pool(normal(MEMBERS - 1, 3)).prior(between=False) is None
    assert pool(normal(MEMBERS - 1, 3)).prior(between=True) is None
    assert pool(normal(12, 1)).prior(between=False) is None
    assert pool(np.zeros((12, 3))).prior(between=False) is None
    apart = {f"variant-{n}": {2 * n: 1.0, 2 * n + 1: 2.0} for n in range(12)}
    assert Pool(apart).prior(between=True) is None


def test_seeds_that_happen_to_be_equal_are_pooled_too():
    values = normal(12, 3)
    values[0] = values[0, 0]
    found = pool(values).prior(between=False)
    assert 0 < found.free < 3 and found.variance > 0


@given(st.floats(1e-6, 1e6))
def test_the_inverse_of_trigamma_is_its_inverse(value):
    assert special.polygamma(1, pooled._inverse_trigamma(value)) == pytest.approx(value, rel=1e-6)

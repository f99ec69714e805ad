"""The smallest difference that a study can find: against statsmodels, and against simulated tests."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scored_items import answers

from clearminds.stages.statistics.detectable import back, by_counts, by_interval, churn_of
from clearminds.stages.statistics.effects import change_effect, score_effect
from clearminds.stages.statistics.exact import mcnemar
from clearminds.stages.statistics.intervals import Spread
from clearminds.stages.statistics.told import told
from clearminds.stages.statistics.verdicts import verdict


@pytest.mark.parametrize(
    ("n", "flips", "comparisons"),
    [
        (200, (0, 0), 1),
        (200, (0, 0), 60),
        (200, (15, 12), 60),
        (200, (2, 25), 20),
        (48, (2, 3), 1),
        (1000, (60, 60), 20),
    ],
)
def test_what_counts_can_detect_is_found_by_mcnemar_four_times_out_of_five(n, flips, comparisons):
    share = by_counts(n, flips, 1.0, comparisons)
    churn = churn_of(*((count + 1) / (n + 2) for count in sorted(flips)))
    rng = np.random.default_rng(n + sum(flips))
    # margins that are equally frequent near 0, and move by a normal number
    before = rng.uniform(-0.5, 0.5, (4000, n))
    after = before + share + churn * rng.standard_normal((4000, n))
    lost, gained = ((before > 0) & (after <= 0)).sum(1), ((before <= 0) & (after > 0)).sum(1)
    p = [mcnemar(*pair) for pair in zip(lost.tolist(), gained.tolist(), strict=True)]
    assert ((np.array(p) < 0.05 / comparisons) & (lost < gained)).mean() == pytest.approx(0.8, abs=0.03)
    assert by_counts(n, flips[::-1], 250.0, comparisons) == pytest.approx(250 * share)


@given(st.floats(0.001, 0.2), st.floats(0, 0.5))
def test_the_churn_is_the_one_that_gives_the_flips(fewer, added):
    churn = churn_of(fewer, fewer + added)
    assert back(added, churn) == pytest.approx(fewer)
    assert back(0.0, churn) >= fewer * 0.999999


def test_no_flip_among_60_comparisons_does_not_show_that_there_is_no_difference():
    run = answers([1.0] * 120 + [0.0] * 80)
    found = told(score_effect([run]) - score_effect([run]), [(0, 0)])
    # at 5 % / 60, twelve flips in one direction are the fewest that are found
    assert mcnemar(0, 11) > 0.05 / 60 > mcnemar(0, 12)
    assert found["detectable_of"](60) > 6
    assert verdict(found["difference"], 1.0, found["detectable_of"](60)) == "too few items to tell"
    assert by_counts(5, (0, 0), 100.0) is None  # five flips in one direction have a p of 6 %


def test_what_is_detectable_of_a_relative_change_is_in_percent_of_the_base():
    base, run = answers([1.0] * 50 + [0.0] * 150), answers([1.0] * 60 + [0.0] * 140)
    points = told(score_effect([run]) - score_effect([base]), [(0, 10)])
    relative = told(change_effect([run], base), [(0, 10)])
    assert relative["test"] == points["test"] == "McNemar, exact"
    assert relative["detectable"] == pytest.approx(4 * points["detectable"])  # of a base score of .25
    halves = answers([1.0] * 60 + [0.0] * 140, ["a", "b"] * 100)
    assert told(score_effect([halves]), [(0, 10)])["test"] == "interval"


@pytest.mark.parametrize("n", [3, 5, 40])
def test_what_an_interval_can_detect_is_that_of_statsmodels_paired_t_test(n):
    power = pytest.importorskip("statsmodels.stats.power", reason="of requirements-test.lock").TTestPower()
    seeds, items = Spread(0.0, 9.0, 4.0 / n, n - 1), Spread(4.0 / n, n - 1.0, 0.0, 0)  # of standard deviation 2
    for one in (seeds, items):
        assert by_interval(one) == pytest.approx(2 * power.solve_power(nobs=n, alpha=0.05, power=0.8), rel=1e-4)
    for comparisons in (20, 60):
        found = by_interval(seeds, comparisons) / 2
        # of both directions statsmodels gives no number for the wrong one, which is that far away
        one_sided = power.power(found, nobs=n, alpha=0.025 / comparisons, alternative="larger")
        assert one_sided == pytest.approx(0.8, abs=0.001)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("comparisons", [1, 20])
def test_between_items_and_seeds_the_power_is_that_of_the_interval_itself(share, comparisons):
    one = Spread(1 - share, 400.0, share, 2)
    rng = np.random.default_rng(0)
    halves = sum(
        variance * rng.chisquare(free, 40_000) / free * stats.t.ppf(1 - 0.025 / comparisons, free) ** 2
        for variance, free in ((one.items, 400), (one.seeds, 2))
    )
    found = by_interval(one, comparisons) + rng.standard_normal(40_000)
    assert (found > np.sqrt(halves)).mean() == pytest.approx(0.8, abs=0.015)


@pytest.mark.parametrize("comparisons", [1, 2550, 20_000])
@pytest.mark.parametrize("seeds", [0.0, 1e-9, 0.3, 1e4])
@pytest.mark.parametrize("free", [1, 2, 4])
def test_what_an_interval_can_detect_is_known_for_any_number_of_seeds_and_comparisons(seeds, free, comparisons):
    one = Spread(1.0, 200.0, seeds, free)
    found = by_interval(one, comparisons)
    assert math.isfinite(found) and found > one.half_width(0.05 / comparisons)
    assert by_interval(Spread(0.0, 200.0, 0.0, free), comparisons) == 0

"""Intervals and tests against scipy and statsmodels where they have the same, and laws that hold for any numbers."""

import importlib.util
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scored_items import answers, drawn

from clearminds.checkout import ROOT
from clearminds.stages.statistics.comparisons import comparisons as compared
from clearminds.stages.statistics.detectable import by_interval
from clearminds.stages.statistics.effects import change_effect, mean_effect, score_effect, transfer_effect
from clearminds.stages.statistics.exact import flips, holm, mcnemar, wilson
from clearminds.stages.statistics.groups import Group
from clearminds.stages.statistics.intervals import BOTH, ITEMS, interval, spread
from clearminds.stages.statistics.measured import token_score
from clearminds.stages.statistics.told import told
from clearminds.stages.statistics.verdicts import verdict

counts = st.integers(0, 200)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_a_score_difference_of_one_seed_has_the_interval_and_p_of_the_paired_t_test():
    base, (run,) = drawn(1, 1, 60)
    found = interval(score_effect([run]) - score_effect([base]))
    same = stats.ttest_rel(run.right, base.right)
    low, high = same.confidence_interval()
    assert found.over == ITEMS
    assert (found.low, found.high) == pytest.approx((100 * low, 100 * high))
    assert found.p == pytest.approx(same.pvalue)


def test_a_mean_over_tasks_has_the_standard_error_and_freedom_of_welch():
    tasks = [drawn(n, 1, 20 * n)[1] for n in (1, 2)]
    both = mean_effect([score_effect(runs) for runs in tasks])
    found = spread(both)
    same = stats.ttest_ind(*[runs[0].right for runs in tasks], equal_var=False)
    assert found.items_free == pytest.approx(same.df)
    errors = [np.var(runs[0].right, ddof=1) / len(runs[0].right) for runs in tasks]
    assert found.error() == pytest.approx(50 * math.sqrt(sum(errors)))


def test_where_items_do_not_matter_the_interval_is_the_t_interval_over_seeds():
    whole = np.ones(100_000)
    runs = [answers(np.where(np.arange(100_000) < n, 1.0, 0.0)) for n in (50_000, 60_000, 80_000)]
    base = answers(np.where(np.arange(100_000) < 99_999, whole, 0.0))
    found = interval(score_effect(runs) - score_effect([base] * 3))
    scores = [100 * run.score for run in runs]
    half = stats.t.ppf(0.975, 2) * np.std(scores, ddof=1) / math.sqrt(3)
    assert found.over == BOTH
    assert found.high - found.estimate == pytest.approx(half, rel=0.001)


def test_the_influences_of_a_change_are_those_of_the_jackknife():
    base, (run,) = drawn(3, 1, 400)
    effect = change_effect([run], base)
    n, after, before = 400, run.right, base.right
    left_out = [100 * ((after.sum() - a) / (before.sum() - b) - 1) for a, b in zip(after, before, strict=True)]
    jackknife = (n - 1) * np.var(left_out)
    assert spread(effect).items == pytest.approx(jackknife, rel=0.02)


def test_the_influences_of_likelihoods_and_of_subtasks_are_those_of_the_jackknife():
    rng = np.random.default_rng(0)
    nats, tokens = rng.gamma(2, 20, 300), rng.integers(5, 60, 300).astype(float)
    likely = token_score(nats, tokens, math.exp(-nats.sum() / tokens.sum()))
    left_out = [math.exp(-(nats.sum() - a) / (tokens.sum() - t)) for a, t in zip(nats, tokens, strict=True)]
    assert spread(score_effect([likely])).items == pytest.approx(299 * np.var(left_out) * 1e4, rel=0.02)

    values, names = (rng.random(300) < 0.4).astype(float), np.repeat(["a", "b"], [60, 240])
    variance = (np.var(values[:60], ddof=1) / 60 + np.var(values[60:], ddof=1) / 240) / 4
    assert spread(score_effect([answers(values, names)])).items == pytest.approx(1e4 * variance, rel=0.02)


@given(st.integers(0, 1000), st.integers(1, 4))
@settings(max_examples=40)
def test_p_is_5_percent_where_the_interval_ends_at_0(seed, seeds):
    base, runs = drawn(seed, seeds, 40)
    effect = change_effect(runs, base)
    found = interval(effect)
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
    assert found.low <= found.estimate <= found.high
    width = found.high - found.estimate
    assert width < by_interval(found.spread) < by_interval(found.spread, 2)
    moved = type(effect)(effect.values - found.estimate + width, effect.influences, effect.free, effect.steps)
    assert interval(moved).p == pytest.approx(0.05, abs=1e-6)


@given(st.integers(0, 1000), st.integers(1, 3))
@settings(max_examples=25)
def test_a_difference_turns_its_sign_and_keeps_its_width(seed, seeds):
    base, runs = drawn(seed, 2 * seeds, 30)
    one, another = (change_effect(part, base) for part in (runs[:seeds], runs[seeds:]))
    forwards, backwards = interval(one - another), interval(another - one)
    assert (forwards.low, forwards.high) == pytest.approx((-backwards.high, -backwards.low))
    assert forwards.p == pytest.approx(backwards.p)
    same = interval(one - one)
    assert (same.estimate, same.p) == (0, 1)
    assert same.high > 0  # none of 30 items changed, which does not show that none of all would


def test_paired_items_make_a_difference_narrower_than_two_intervals_apart():
    _, runs = drawn(5, 2, 200, agree=0.95)
    one, another = (score_effect([run]) for run in runs)
    apart = spread(one).items + spread(another).items
    assert spread(one - another).items < apart / 2


def test_bwt_is_the_mean_of_the_changes_of_its_tasks():
    tasks = {name: drawn(n, 2, 40) for n, name in enumerate("abc")}
    runs, base = ({name: pair[n] for name, pair in tasks.items()} for n in (1, 0))
    effect = transfer_effect(runs, base)
    changes = [change_effect(runs[name], base[name]).values for name in tasks]
    assert effect.values == pytest.approx(np.mean(changes, axis=0))


def test_one_item_gives_no_interval():
    found = told(score_effect([answers([1.0])]), None)
    assert [found[key] for key in ("low", "high", "p", "detectable")] == [None] * 4
    assert found["detectable_of"](60) is None
    assert verdict(found["difference"], found["p"], found["detectable"]) == "too few items to tell"


@given(counts, counts)
def test_mcnemar_is_that_of_scipy_and_statsmodels(lost, gained):
    table = pytest.importorskip("statsmodels.stats.contingency_tables", reason="of requirements-test.lock")
    p = mcnemar(lost, gained)
    assert p == mcnemar(gained, lost)
    if lost + gained:
        assert p == pytest.approx(stats.binomtest(lost, lost + gained).pvalue)
        assert p == pytest.approx(table.mcnemar([[3, lost], [gained, 5]], exact=True).pvalue)


@given(counts, st.integers(1, 200))
def test_wilson_is_that_of_scipy_and_statsmodels(right, wrong):
    proportion = pytest.importorskip("statsmodels.stats.proportion", reason="of requirements-test.lock")
    n = right + wrong
    low, high = wilson(right, n)
    assert (low, high) == pytest.approx(proportion.proportion_confint(right, n, method="wilson"), abs=1e-9)
    same = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((same.low, same.high), abs=1e-9)


@given(p_values)
@settings(max_examples=25)
def test_holm_is_that_of_statsmodels(values):
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="of requirements-test.lock")
    assert holm(values) == pytest.approx(multitest.multipletests(values, method="holm")[1])


@given(p_values)
def test_holm_corrects_no_p_downwards_and_keeps_their_order(values):
    corrected = holm(values)
    assert all(p <= c <= 1 for p, c in zip(values, corrected, strict=True))
    order = np.argsort(values, kind="stable")
    assert list(np.asarray(corrected)[order]) == sorted(corrected)


def test_flips_are_counted_apart():
    assert flips(np.array([1.0, 1, 0, 0, 1]), np.array([0.0, 1, 1, 0, 0])) == (2, 1)


@pytest.mark.parametrize(
    ("difference", "corrected", "detectable", "said"),
    [
        (3.0, 0.01, 2.0, "better"),
        (-3.0, 0.01, 9.0, "worse"),
        (-3.0, 0.06, 4.9, "no difference shown"),
        (-3.0, 0.06, 5.1, "too few items to tell"),
        (0.0, 1.0, 5.0, "no difference shown"),
        (-3.0, 0.01, None, "worse"),  # by luck: so few items find no true difference four times out of five
        (-3.0, 0.06, None, "too few items to tell"),
        (1e-12, 0.0, 1.0, "no difference shown"),  # what rounding leaves
        (None, None, None, None),
    ],
)
def test_what_a_comparison_shows_follows_from_its_numbers(difference, corrected, detectable, said):
    assert verdict(difference, corrected, detectable) == said


def test_simulated_studies_are_covered_and_equal_numbers_of_them_give_equal_tables(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    # by its path, as a library of the same name may be installed
    spec = importlib.util.spec_from_file_location("coverage_benchmark", ROOT / "benchmarks" / "coverage.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    row = benchmark.Row(2, 48, 3, 0.3, shared=True)
    line = benchmark.covered(row, 40)
    assert line == benchmark.covered(row, 40)
    items, _, chosen = (float(cell.split()[0]) for cell in line.split("|")[3:6])
    assert items < 0.85 < chosen  # seeds count


def test_subtasks_are_blocks_of_their_own_with_the_variance_of_each():
    rng = np.random.default_rng(3)
    names = ["a"] * 4 + ["b"] * 400
    values = (rng.random(404) < 0.5).astype(float)
    run = answers(values, names)
    found = spread(score_effect([run]))
    parts = [values[:4], values[4:]]
    expected = sum(np.var(part, ddof=1) / len(part) for part in parts) / 4 * 100**2
    assert found.error() ** 2 == pytest.approx(expected)
    assert found.items_free < 4, "the few items decide"
    alone = answers(values, ["c"] + ["b"] * 403)
    assert interval(score_effect([alone])).low is None, "of one item nothing is known"


def test_items_of_subtasks_are_not_pooled_in_a_test_of_counts():
    base = answers([1.0] * 2 + [0.0] * 8 + [1.0] * 500 + [0.0] * 500, ["a"] * 10 + ["b"] * 1000)
    run = answers([1.0] * 7 + [0.0] * 3 + [1.0] * 470 + [0.0] * 530, ["a"] * 10 + ["b"] * 1000)
    found = told(score_effect([run]) - score_effect([base]), [(30, 5)])
    assert found["difference"] > 0 and found["test"] != "McNemar, exact" and found["p"] > 0.005


@pytest.mark.parametrize(("variant", "other"), [("more", "base"), ("less", "more")])
def test_ti_over_several_seeds_is_tested_by_the_difference_of_scores(variant, other):
    base, runs = drawn(3, 6, 90, rate=0.2, agree=0.7)
    variants = {"more": dict(enumerate(runs[:3])), "less": dict(enumerate(runs[3:]))}
    by_task = {name: {seed: {"sums": run} for seed, run in of.items()} for name, of in variants.items()}
    table = compared([Group("model", "sums", {"sums": "target"}, {"sums": base}, by_task)])
    of_pair = (pl.col("variant") == variant) & (pl.col("other") == other)
    improvement, score = (
        table.row(by_predicate=of_pair & (pl.col("measure") == name), named=True) for name in ("TI", "sums")
    )
    assert improvement["p"] == score["p"]
    assert improvement["detectable"] == pytest.approx(score["detectable"] / base.score)
    assert improvement["low"] != pytest.approx(score["low"] / base.score)  # the ratio's own interval

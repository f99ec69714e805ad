"""The weight rules: perplexity at and around tau, its controls, and every other rule by what it promises."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearminds.errors import UserError
from clearminds.plugins.load import load, names
from clearminds.plugins.rule_words import in_words
from clearminds.plugins.rules import apply as apply_rule
from clearminds.plugins.rules import fitted
from clearminds.plugins.scores import BASE, Scores

TAUS = st.floats(min_value=1, max_value=1000).map(repr)
LOGPROB = st.floats(min_value=-50, max_value=0, width=32)
logprobs = st.lists(LOGPROB, min_size=1, max_size=60)
responses = st.lists(st.lists(LOGPROB, min_size=1, max_size=20), min_size=1, max_size=8)
STM = {"rule": "perplexity", "tau": "2.5"}
# one rule of each kind, with settings as a spec has them; a new rule needs an entry
RULES = {
    "all": {"rule": "all"},
    "perplexity": STM,
    "band": {"rule": "band", "tau_low": "1.1", "tau_high": "20"},
    "budget": {"rule": "budget", "keep": 60.0, "per": "response"},
    "random": {"rule": "random", "like": STM},
    "lowest": {"rule": "lowest", "like": STM},
    "rank": {"rule": "rank", "top": 3},
    "soft": {"rule": "soft", "temperature": 1.5},
    "entropy": {"rule": "entropy", "at_least": 0.1, "at_most": 2.0},
    "info": {"rule": "info", "c": 2.0},
    "class": {"rule": "class", "mask": ["numbers", "words"]},
    "expression": {"rule": "expression", "formula": "where(entropy < 1.5, 1, exp(logprob))"},
    "excess": {"rule": "excess", "keep": 40.0, "per": "response", "reference": "other"},
    "dpf": {"rule": "dpf", "reference": "other", "delta": 0.5},
    "combine": {"rule": "combine", "how": "product", "of": [STM, {"rule": "soft", "temperature": 2.0}]},
}


def block(found, first=0, draw=0, others=None, **columns):
    """Scores of responses.

    Args:
        found: a list of log-probabilities of each.
        first: the number of the first.
        draw: of rules that draw at random.
        others: by scorer, its columns.
        columns: other ones of the base.
    """
    flat = np.asarray([value for one in found for value in one], np.float32)
    starts = np.cumsum([0, *map(len, found)])
    given = {"logprob": flat, **{name: np.asarray(values) for name, values in columns.items()}}
    return Scores({BASE: given, **(others or {})}, starts, [(f"e{n + first}", 0) for n in range(len(found))], draw)


def whole_block(found, first=0):
    """Scores with made-up values of every column, which follow from a token's log-probability."""
    flat = [value for one in found for value in one]
    return block(
        found,
        first,
        others={"other": {"logprob": np.asarray([-((value * 7) % 5) for value in flat], np.float32)}},
        entropy=np.asarray([-value / 3 for value in flat], np.float16),
        rank=np.asarray([int(-value) for value in flat], np.int32),
        token=np.asarray([[" 12", " the", ",", "x_1"][int(-value * 7) % 4] for value in flat], object),
    )


def apply(rule, values, parameters, seed=0, **columns):
    return apply_rule(block([values], draw=seed, **columns), {"rule": rule, **parameters})


def test_every_rule_is_tested_here():
    assert RULES.keys() == set(names("weights"))


@pytest.mark.parametrize("rule", RULES)
@given(found=responses, cut=st.integers(min_value=0, max_value=8))
def test_a_weight_depends_on_nothing_but_its_own_response(rule, found, cut):
    """However responses are put into blocks, a rule that is fitted gives them the same weights."""
    cut = min(cut, len(found))
    parts = [whole_block(found[:cut]), whole_block(found[cut:], cut)]
    together = apply_rule(whole_block(found), RULES[rule])
    assert together.dtype == np.float32 and together.shape == (sum(map(len, found)),)
    assert np.isfinite(together).all() and (together >= 0).all()
    apart = [apply_rule(part, RULES[rule]) for part in parts if part.n_tokens]
    np.testing.assert_array_equal(np.concatenate(apart), together)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_said_in_words(rule):
    words = in_words(RULES[rule])
    assert words and not set("{}") & set(words)
    assert all(text in words for text in ("tokens", "2.5")) or rule not in ("perplexity", "random", "lowest", "combine")


# --- perplexity, all --------------------------------------------------------------------------------------------------


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


@given(logprobs, TAUS, TAUS)
def test_a_band_is_what_its_upper_threshold_keeps_without_what_lies_below_its_lower_one(values, a, b):
    low, high = sorted((a, b), key=float)
    found = apply("band", values, {"tau_low": low, "tau_high": high})
    above = np.array([-float(np.float32(value)) >= math.log(float(low)) for value in values])
    np.testing.assert_array_equal(found, apply("perplexity", values, {"tau": high}) * above)


# --- the controls -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["random", "lowest"])
@given(found=responses, tau=TAUS, seed=st.integers(min_value=0, max_value=2**63))
def test_a_control_masks_as_many_tokens_of_each_response_as_the_rule_it_imitates(rule, found, tau, seed):
    like, scores = {"rule": "perplexity", "tau": tau}, block(found, draw=seed)
    drawn, imitated = apply_rule(scores, {"rule": rule, "like": like}), apply_rule(scores, like)
    assert drawn.dtype == np.float32 and set(drawn.tolist()) <= {0, 1}
    # were tokens drawn with replacement, fewer would be masked
    np.testing.assert_array_equal(scores.count(drawn > 0), scores.count(imitated > 0))


def test_the_random_rule_follows_its_seed():
    values = [-5.0, -0.1] * 20
    drawn = [apply("random", values, {"like": STM}, seed).tolist() for seed in (0, 0, 1, 2)]
    assert drawn[0] == drawn[1]
    assert len({str(mask) for mask in drawn}) == 3


def test_the_random_rule_draws_every_token_equally_often():
    # 400 draws of 1 in 4: each count is binomial with mean 100 and deviation 8.7
    masked = sum(1 - apply("random", [-5.0, -0.1, -0.1, -0.1], {"like": STM}, seed) for seed in range(400))
    assert masked.sum() == 400
    assert (np.abs(masked - 100) < 40).all()


@given(logprobs, TAUS)
def test_no_token_masked_as_one_of_the_lowest_is_more_surprising_than_one_that_is_kept(values, tau):
    found = apply("lowest", values, {"like": {"rule": "perplexity", "tau": tau}})
    loss = -np.asarray(values, np.float32)
    assert (found == 0).all() or (found == 1).all() or loss[found == 0].max() <= loss[found == 1].min()


def test_of_equal_tokens_the_earlier_are_masked_as_the_lowest():
    assert apply("lowest", [-0.5, -0.1, -0.1, -0.1, -5, -6], {"like": STM}).tolist() == [1, 0, 0, 1, 1, 1]


# --- budget -----------------------------------------------------------------------------------------------------------

KEEP = st.integers(min_value=1, max_value=10**4).map(lambda n: n / 100)


@given(responses, KEEP)
def test_a_budget_per_response_keeps_its_share_rounded_up_of_the_lowest_losses(found, keep):
    scores = block(found)
    kept = apply_rule(scores, {"rule": "budget", "keep": keep, "per": "response"}) > 0
    expected = [math.ceil(Decimal(str(keep)) * len(one) / 100) for one in found]
    assert scores.count(kept).tolist() == expected and min(expected) >= 1
    for start, stop in zip(scores.starts, scores.starts[1:], strict=False):
        loss, own = scores.loss[start:stop], kept[start:stop]
        assert own.all() or loss[own].max() <= loss[~own].min()


def test_of_equal_losses_the_earlier_token_is_within_the_budget():
    assert apply("budget", [-1, -0.5, -1, -1], {"keep": 50.0, "per": "response"}).tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("keep", "n", "kept"), [(10.0, 30, 3), (33.333333333333336, 3, 2), (100.0, 7, 7), (0.01, 3, 1)]
)
def test_a_budget_is_rounded_as_it_is_written(keep, n, kept):
    assert apply("budget", -np.arange(n), {"keep": keep, "per": "response"}).sum() == kept


@given(responses, KEEP, st.integers(min_value=0, max_value=8))
def test_a_budget_of_the_set_is_a_threshold_that_its_share_of_all_tokens_reaches(found, keep, cut):
    parts = [part for part in (block(found[:cut]), block(found[cut:], cut)) if part.n_tokens]
    rule = fitted(parts, {"rule": "budget", "keep": keep, "per": "set"})
    losses = np.sort(np.concatenate([part.loss for part in parts]))
    k = math.ceil(Decimal(str(keep)) * len(losses) / 100)
    assert rule["threshold"] == losses[k - 1]
    kept = sum(apply_rule(part, rule).sum() for part in parts)
    assert kept == (losses <= losses[k - 1]).sum() >= k


# --- thresholds from the scores alone ---------------------------------------------------------------------------------


def made_up(mean, n=2000, seed=0):
    """Losses as skewed as real ones: many near 0, few large, of a given mean."""
    loss = np.random.default_rng(seed).exponential(1, n) ** 2
    return [(-loss * mean / loss.mean()).tolist()]


def kept_by(rule, found):
    taken = fitted([block(found)], rule)
    return taken, float(apply_rule(block(found), taken).mean())


def test_auto_is_the_paper_s_tau_where_the_base_knows_the_target():
    taken, kept = kept_by({"rule": "perplexity", "tau": "auto"}, made_up(0.5))
    assert taken["tau"] == "2.5"
    assert kept == kept_by(STM, made_up(0.5))[1]


@pytest.mark.parametrize("mean", [2.0, 4.0, 8.0])
def test_auto_does_not_starve_a_target_that_the_base_knows_little_of(mean):
    fixed = kept_by(STM, made_up(mean))[1]
    taken, kept = kept_by({"rule": "perplexity", "tau": "auto"}, made_up(mean))
    assert math.log(float(taken["tau"])) == pytest.approx(mean, abs=1e-3), "the knee is at the mean loss"
    assert kept > 0.7 and kept > fixed + 0.1
    budget, share = kept_by({"rule": "budget", "keep": "auto", "per": "response"}, made_up(mean))
    assert budget["keep"] == pytest.approx(100 * kept, abs=0.1) and share == pytest.approx(kept, abs=0.002)


@given(responses)
def test_auto_keeps_half_of_the_tokens_at_least(found):
    scores, n = [block(found)], sum(map(len, found))
    for rule in ({"rule": "perplexity", "tau": "auto"}, {"rule": "budget", "keep": "auto", "per": "set"}):
        assert apply_rule(scores[0], fitted(scores, rule)).sum() >= n / 2


def test_auto_takes_infinite_losses():
    scores = block([[-np.inf, -1.0, -2.0], [-np.inf, -np.inf]])
    taken = fitted([scores], {"rule": "perplexity", "tau": "auto"})
    assert math.isfinite(float(taken["tau"])) and apply_rule(scores, taken).tolist() == [0, 1, 1, 0, 0]


def test_what_a_rule_takes_is_taken_within_other_rules_too():
    found, half = made_up(4.0), {"rule": "combine", "how": "and"}
    rule = {**half, "of": [{"rule": "perplexity", "tau": "auto"}, {"rule": "soft", "temperature": "median"}]}
    taken = fitted([block(found)], {"rule": "lowest", "like": rule})["like"]["of"]
    assert float(taken[0]["tau"]) > 50 and taken[1]["temperature"] > 0


# --- the others -------------------------------------------------------------------------------------------------------


def test_ranks_begin_at_the_first_choice():
    assert apply("rank", [-1] * 4, {"top": 2}, rank=[0, 1, 2, 900]).tolist() == [1, 1, 0, 0]


@given(logprobs, st.floats(min_value=0.01, max_value=100))
def test_soft_weights_are_a_power_of_the_probability(values, temperature):
    found = apply("soft", values, {"temperature": temperature})
    expected = [math.exp(float(np.float32(value)) / temperature) for value in values]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-37)


@given(responses)
def test_the_median_token_weighs_1_over_e(found):
    scores = block(found)
    if np.sort(scores.loss)[(scores.n_tokens - 1) // 2] == 0:
        with pytest.raises(UserError, match="write a number above 0"):
            fitted([scores], {"rule": "soft", "temperature": "median"})
        return
    rule = fitted([scores], {"rule": "soft", "temperature": "median"})
    weights = np.sort(apply_rule(scores, rule))[::-1]
    assert weights[(len(weights) - 1) // 2] == pytest.approx(math.exp(-1), rel=1e-6)


def test_entropy_is_compared_with_both_limits_inclusive():
    entropy = np.array([0, 0.5, 1, 1.5, 2], np.float16)
    for limits, kept in (
        ({"at_least": 1.0}, [0, 0, 1, 1, 1]),
        ({"at_most": 1.0}, [1, 1, 1, 0, 0]),
        ({"at_least": 0.5, "at_most": 1.5}, [0, 1, 1, 1, 0]),
    ):
        assert apply("entropy", [-1] * 5, limits, entropy=entropy).tolist() == kept


@given(st.floats(min_value=1e-6, max_value=1 - 1e-6), st.floats(min_value=-3, max_value=5))
def test_the_weight_of_infosft_is_its_formula(q, c):
    [found] = apply("info", [math.log(q)], {"c": c})
    q = math.exp(float(np.float32(math.log(q))))
    expected = max(0, q * (c - math.log(q / (1 - q)))) if q < 1 else 0
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_infosft_gives_certain_and_impossible_tokens_no_weight():
    assert apply("info", [0.0, -0.0, -np.inf, -1e4], {"c": 3.0}).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([" 12", "3.5", "-7", "1,000"], "numbers"),
        ([" the", "Answer", "don't", "größe"], "words"),
        (["):", " ==", "\n}", "…"], "symbols"),
        (["my_sum", " x1", "isEven", "__"], "identifiers"),
        (["(x", " ", "\n\n", "<|im_end|>", ""], None),
    ],
)
def test_tokens_are_told_apart_by_their_texts(texts, expected):
    class_of = load("weights", "class").class_of
    assert [class_of(text) for text in texts] == [expected] * len(texts)
    kept = apply("class", [-1] * len(texts), {"mask": [expected]} if expected else {"mask": ["words"]}, token=texts)
    assert kept.tolist() == [0 if expected else 1] * len(texts)


@given(logprobs, TAUS, TAUS)
def test_rules_are_combined_as_their_weights_say(values, a, b):
    first, second = {"rule": "perplexity", "tau": a}, {"rule": "soft", "temperature": 3.0}
    third = {"rule": "band", "tau_low": "1", "tau_high": b}
    of = [first, second, third]
    one, soft, other = (apply_rule(block([values]), rule) for rule in of)
    np.testing.assert_array_equal(apply("combine", values, {"how": "and", "of": of}), one * other * (soft > 0))
    np.testing.assert_array_equal(apply("combine", values, {"how": "or", "of": [first, third]}), np.maximum(one, other))
    np.testing.assert_array_equal(apply("combine", values, {"how": "product", "of": of}), one * soft * other)


# --- scores of other models -------------------------------------------------------------------------------------------


@given(responses, KEEP, st.data())
def test_excess_keeps_the_share_of_tokens_that_are_most_above_the_reference(found, keep, data):
    flat = [value for one in found for value in one]
    theirs = np.asarray(data.draw(st.lists(LOGPROB, min_size=len(flat), max_size=len(flat))), np.float32)
    scores = block(found, others={"other": {"logprob": theirs}})
    excess = theirs - scores["logprob"]
    rule = {"rule": "excess", "keep": keep, "reference": "other"}
    kept = apply_rule(scores, {**rule, "per": "response"}) > 0
    assert scores.count(kept).tolist() == [math.ceil(Decimal(str(keep)) * len(one) / 100) for one in found]
    for start, stop in zip(scores.starts, scores.starts[1:], strict=False):
        value, own = excess[start:stop], kept[start:stop]
        assert own.all() or value[own].min() >= value[~own].max()
    least = np.sort(excess)[::-1][math.ceil(Decimal(str(keep)) * len(flat) / 100) - 1]
    whole = apply_rule(scores, fitted([scores], {**rule, "per": "set"}))
    np.testing.assert_array_equal(whole > 0, excess >= least)


def test_excess_is_none_where_neither_model_gives_a_token_any_probability():
    scores = block([[-np.inf, -2.0, -1.0]], others={"other": {"logprob": np.array([-np.inf, -1.0, -9.0], np.float32)}})
    rule = {"rule": "excess", "keep": 34.0, "per": "response", "reference": "other"}
    assert apply_rule(scores, rule).tolist() == [1, 1, 0]


OTHER = {"other": {"logprob": np.array([-9.0, -0.1, -9.0, -0.1], np.float32)}}
MINE = [[-0.1, -9.0, -9.0, -0.1]]


def test_a_rule_reads_the_scores_of_the_model_that_it_names():
    scores = block(MINE, others=OTHER)
    assert apply_rule(scores, STM).tolist() == [1, 0, 0, 1]
    assert apply_rule(scores, {**STM, "scorer": "other"}).tolist() == [0, 1, 0, 1]
    both = {"rule": "combine", "how": "and", "of": [STM, {**STM, "scorer": "other"}]}
    assert apply_rule(scores, both).tolist() == [0, 0, 0, 1]
    inherited = {"rule": "combine", "how": "and", "of": [STM, {"rule": "all"}], "scorer": "other"}
    assert apply_rule(scores, inherited).tolist() == [0, 1, 0, 1]
    formula = {"rule": "expression", "formula": "logprob > -1", "scorer": "other"}
    assert apply_rule(scores, formula).tolist() == [0, 1, 0, 1]
    assert in_words({**STM, "scorer": "other"}) == "tokens of perplexity up to 2.5 (as other scores them)"


def test_a_rule_that_is_imitated_keeps_its_own_scorer():
    scores = block(MINE, others=OTHER)
    soft = {"rule": "soft", "temperature": "median"}
    lowest = {"rule": "lowest", "scorer": "other", "like": {"rule": "combine", "how": "product", "of": [STM, soft]}}
    taken = fitted([scores], lowest)
    assert taken["like"]["of"][1]["temperature"] == pytest.approx(0.1)
    # two are masked by the base's own scores; which ones, by the other's
    assert apply_rule(scores, taken).tolist() == [1, 0, 1, 0]
    assert fitted([scores], {**soft, "scorer": "other"})["temperature"] == pytest.approx(0.1)


def test_dpf_keeps_tokens_whose_loss_fell_by_more_than_delta():
    tuned = {"other": {"logprob": np.array([-1.0, -0.5, -1.5, -np.inf, -2.0], np.float32)}}
    scores = block([[-1.0, -1.0, -2.5, -np.inf, -np.inf]], others=tuned)
    for delta, kept in ((0.0, [0, 1, 1, 0, 1]), (0.5, [0, 0, 1, 0, 1]), (1.0, [0, 0, 0, 0, 1])):
        assert apply_rule(scores, {"rule": "dpf", "reference": "other", "delta": delta}).tolist() == kept

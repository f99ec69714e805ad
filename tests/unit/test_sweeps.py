"""`sweep:`: a grid in one line becomes named variants, each with the specs that it would have if written out."""

import json
import re
from itertools import product

import pytest
from demo_study import demo, spec, study_with
from hypothesis import given
from hypothesis import strategies as st

from clearminds.config.study import Study
from clearminds.config.sweeps import with_sweeps
from clearminds.run.specs import Specs

REFERENCE = {"responses": "reference"}
STM = {"rule": "perplexity", "tau": "2.5"}
TAU = {**REFERENCE, "weights": {"rule": "perplexity"}}
BOTH = {"rule": "combine", "how": "and", "of": [STM, {"rule": "rank", "top": 1}]}


def names(sweep, **variant):
    own = {**REFERENCE, **variant, "sweep": sweep}
    return [name for name in demo({"variants/new": own}).variants if name.startswith("new")]


def test_each_combination_is_a_variant_in_the_order_of_the_values():
    found = names({"tau": ["1.5", "auto"], "learning_rate": [1e-4, "5e-4"]}, weights={"rule": "perplexity"})
    assert found == ["new-tau1.5-lr0.0001", "new-tau1.5-lr0.0005", "new-tau-auto-lr0.0001", "new-tau-auto-lr0.0005"]


@pytest.mark.parametrize(
    ("sweep", "variant", "found"),
    [
        ({"weight_decay": [0, 0.1], "dropout": [0.05]}, {}, ["new-wd0-dropout0.05", "new-wd0.1-dropout0.05"]),
        ({"rank": [8, 16]}, {}, ["new-rank8", "new-rank16"]),
        ({"learning_rate": [1e-5, 2e-5]}, {}, ["new-lr1e-05", "new-lr2e-05"]),
        ({"keep": [50, "auto"]}, {"weights": {"rule": "budget"}}, ["new-keep50", "new-keep-auto"]),
        ({"temperature": ["median"]}, {"weights": {"rule": "soft"}}, ["new-temperature-median"]),
        ({"beta": [0.1, 1.0]}, {"loss": {"rule": "kl"}}, ["new-beta0.1", "new-beta1"]),
        ({"loss.alpha": [0, 1]}, {"loss": {"rule": "eaft"}}, ["new-alpha0", "new-alpha1"]),
        ({"rule": ["dft", "profit"]}, {"loss": {"rule": "dft"}}, ["new-rule-dft", "new-rule-profit"]),
        ({"rank": [4]}, {"loss": None, "training": {"epochs": 1}}, ["new-rank4"]),
        ({"like": ["stm-2.5"]}, {"weights": {"rule": "random"}}, ["new-like-stm-2.5"]),
        ({"weights.of.0.tau": ["2"]}, {"weights": BOTH}, ["new-tau2"]),
        (
            {"loss.alpha": [0.5], "training.alpha": [8]},
            {"loss": {"rule": "eaft"}},
            ["new-loss.alpha0.5-training.alpha8"],
        ),
    ],
)
def test_names_say_the_values(sweep, variant, found):
    assert names(sweep, **variant) == found


def test_a_swept_variant_has_the_specs_of_one_that_is_written_out():
    swept = {**TAU, "training": {"epochs": 1}, "sweep": {"tau": ["3"], "learning_rate": [1e-3]}}
    written = {**REFERENCE, "weights": {**STM, "tau": "3"}, "training": {"epochs": 1, "learning_rate": 1e-3}}
    name = "new-tau3-lr0.001"
    studies = [demo({"variants/new": swept}), demo({f"variants/{name}": written})]
    for stage in ("build_masks", "train_adapter", "rehearse", "summarise"):
        one, other = (spec(study, stage, variant=name) for study in studies)
        assert one == other, stage


def test_a_study_without_sweeps_says_nothing_of_them_to_the_report():
    assert "swept" not in spec(demo(), "report") and "sweep" not in spec(demo(), "report")


def test_a_swept_variant_says_where_it_is_from():
    study = demo({"variants/new": {**TAU, "sweep": {"tau": ["3"], "rank": [4]}}})
    found = json.loads(spec(study, "report"))["study"]["variants"]["new-tau3-rank4"]
    assert found["swept"] == {"sweep": "new", "values": {"weights.tau": "3", "training.rank": 4}}
    assert Study.model_validate(study.model_dump(exclude_none=True)) == study, "read once, and not again"


def test_what_names_a_variant_may_name_one_of_a_sweep():
    changes = {
        "variants/new": {**TAU, "sweep": {"tau": ["2", "3"]}},
        "variants/drawn": {**REFERENCE, "weights": {"rule": "random", "like": "new-tau3"}},
        "variants/dpf": {**REFERENCE, "weights": {"rule": "dpf", "reference": {"variant": "new-tau2"}}},
    }
    study = demo(changes)
    assert json.loads(spec(study, "build_masks", variant="drawn"))["weights"]["like"] == {**STM, "tau": "3"}
    assert "new-tau2.seed0" in json.dumps(Specs(study).tuned_scorers)


def test_a_sweep_s_own_name_is_no_variant(refusal):
    changes = {
        "variants/new": {**TAU, "sweep": {"tau": ["2"]}},
        "variants/drawn": {**REFERENCE, "weights": {"rule": "random", "like": "new"}},
    }
    assert "variants: drawn: weights: like: 'new' is not one of " in refusal(study_with(changes))


@pytest.mark.parametrize(
    ("sweep", "variant", "message"),
    [
        ({"tua": ["2"]}, {"weights": STM}, "new: sweep: tua: unknown key; did you mean tau?"),
        ({"tau": ["2"]}, {}, "new: sweep: tau: unknown key; of this variant can be swept: adapter, rank, "),
        ({"weights.tua": ["2"]}, {"weights": STM}, "new: sweep: weights.tua: weights has no such key; did you mean ta"),
        ({"alpha": [1]}, {"loss": {"rule": "eaft"}}, "new: sweep: alpha: a key of loss and training; write loss.alpha"),
        ({"tau": []}, {"weights": STM}, "new: sweep: tau: at least one entry is needed, not []"),
        ({}, {"weights": STM}, "new: sweep: at least one entry is needed, not {}"),
        ({"tau": "2"}, {"weights": STM}, "new: sweep: tau: a list is needed, not '2'"),
        ({"tau": ["2", "2.0"]}, {"weights": STM}, "new: sweep: tau: '2.0' appears twice; take one out"),
        ({"tau": [2]}, {"weights": STM}, "new-tau2: weights: tau: tau is a quoted string, so that no reader rounds it"),
        ({"rank": [0]}, {}, "new-rank0: training: rank: input should be greater than 0, not 0"),
        ({"max_length": [64]}, {}, "new-max_length64: training: max_length fixes the matched examples"),
        ({"target_modules": ["a b"]}, {}, "new: sweep: target_modules: 'a b' can be no part of a variant's name, "),
        ({"rank": [*range(1, 102)], "dropout": [0, 0.1]}, {}, "new: sweep: 202 variants, of which one sweep makes 200"),
        (
            {"weights.of.2.tau": ["2"]},
            {"weights": BOTH},
            "new: sweep: weights.of.2.tau: 2 is no place of a list of 2, ",
        ),
        ({"weights.tau.x": ["2"]}, {"weights": STM}, "new: sweep: weights.tau.x: x is below '2.5', which has no keys"),
        ({"rank": [4]}, {"weights": "all"}, "new: weights: "),
    ],
)
def test_what_cannot_be_swept_is_named(refusal, sweep, variant, message):
    found = refusal(study_with({"variants/new": {**REFERENCE, **variant, "sweep": sweep}}))
    assert found.startswith(f"variants: {message}")


@pytest.mark.parametrize("first", [True, False])
def test_a_name_that_another_variant_has_is_refused(refusal, first):
    own = {"new-rank4": REFERENCE, "new": {**REFERENCE, "sweep": {"rank": [4, 8]}}}
    variants = own if first else dict(reversed(own.items()))
    found = refusal(study_with({"variants": variants}))
    assert found == "variants: new: sweep: new-rank4 is another variant's name too; rename one of them"
    two = {
        "a": {**REFERENCE, "sweep": {"rank": [4], "dropout": [0]}},
        "a-rank4": {**REFERENCE, "sweep": {"dropout": [0]}},
    }
    assert "variants: a-rank4: sweep: a-rank4-dropout0 is another" in refusal(study_with({"variants": two}))


numbers = st.floats(1e-6, 1e6, allow_nan=False).map(lambda x: float(f"{x:.6g}"))
grids = st.fixed_dictionaries(
    {
        "learning_rate": st.lists(numbers, min_size=1, max_size=4, unique=True),
        "rank": st.lists(st.integers(1, 512), min_size=1, max_size=4, unique=True),
        "scheduler": st.lists(st.sampled_from(["linear", "cosine", "constant"]), min_size=1, unique=True),
    }
)


@given(grids, st.permutations(["before", "new", "after"]))
def test_a_sweep_makes_each_combination_once_under_a_name_that_a_file_can_have(grid, order):
    variants = {name: {**REFERENCE, **({"sweep": grid} if name == "new" else {})} for name in order}
    found = with_sweeps(variants)
    made = {name: one for name, one in found.items() if "swept" in one}
    assert [tuple(one["training"].values()) for one in made.values()] == [*product(*grid.values())]
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) and "sweep" not in one for name, one in made.items())
    place = list(found).index(next(iter(made)))
    assert [*list(found)[:place], "new", *list(found)[place + len(made) :]] == order, "in its place"

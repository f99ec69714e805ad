"""Rules for weights in a study: what is refused, how they enter specs, and whose code reruns which masks."""

import json
import re
from types import SimpleNamespace

import pytest
from demo_study import WILDCARDS, demo, spec, study_with
from test_weights import RULES

from clearminds.config.weights import draws
from clearminds.errors import UserError
from clearminds.files.digests import canonical
from clearminds.files.layout import Layout
from clearminds.reuse import stage_code
from clearminds.run.specs import Specs

STM = {"rule": "perplexity", "tau": "2.5"}
RANDOM = {"rule": "random", "like": "stm-2.5"}
SOFT = {"rule": "soft", "temperature": "median"}


def variant(weights, responses="reference"):
    return {"variants/new": {"responses": responses, "weights": weights}}


def weights_of(changes, name="new"):
    return json.loads(spec(demo(changes), "build_masks", variant=name))["weights"]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            {"rule": "perplexity", "tau": "automatic"},
            "tau: tau is a number in quotes, such as \"2.5\", not 'automatic'",
        ),
        ({"rule": "band", "tau_low": "3", "tau_high": "2"}, 'tau_low: "3" is above tau_high: "2"; swap them'),
        ({"rule": "band", "tau_low": 3, "tau_high": "9"}, "tau_low: tau is a quoted string, so that no reader rounds"),
        ({"rule": "budget", "keep": 0}, "keep: "),
        ({"rule": "budget", "keep": 101}, "keep: "),
        ({"rule": "budget", "keep": "half"}, "keep: "),
        ({"rule": "budget", "keep": 50, "per": "batch"}, "per: 'batch' is not one of response, set"),
        ({"rule": "rank", "top": 0}, "top: "),
        ({"rule": "soft", "temperature": 0}, "temperature: "),
        ({"rule": "entropy"}, "at_least or at_most is missing; give one of them or both"),
        ({"rule": "entropy", "at_least": 2, "at_most": 1}, "at_least: 2.0 is above at_most: 1.0; swap them"),
        ({"rule": "class", "mask": ["number"]}, "mask: 0: 'number' is not one of numbers, symbols, words, identifiers"),
        ({"rule": "class", "mask": []}, "mask: at least one entry is needed"),
        ({"rule": "info"}, "c: missing; add this key"),
        ({"rule": "combine", "how": "and", "of": [STM]}, "of: two rules or more are combined, not 1; "),
        ({"rule": "combine", "how": "xor", "of": [STM, SOFT]}, "how: 'xor' is not one of and, or, product"),
        (
            {"rule": "combine", "how": "and", "of": [STM, {"rule": "rnak", "top": 1}]},
            "of: 1: rule: 'rnak' is not one of",
        ),
        (
            {"rule": "combine", "how": "and", "of": [STM, {"rule": "rank", "tpo": 1}]},
            "of: 1: top: missing; found 'tpo': did you mean top?",
        ),
        ({"rule": "combine", "how": "and", "of": [STM, {"rule": "lowest", "like": "no"}]}, "like: 'no' is not one of"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(refusal, weights, message):
    found = refusal(study_with(variant(weights)))
    assert found.startswith("variants: new: weights: ") and message in found
    assert "\n" not in found


def test_a_scorer_must_be_a_model_of_the_study(refusal):
    found = refusal(study_with(variant({"rule": "combine", "how": "or", "of": [STM, {**STM, "scorer": "other"}]})))
    assert found == "variants: new: weights: scorer: 'other' is not one of smollm2-135m-q4"


def test_masks_ask_for_the_scores_of_the_models_that_their_rules_name():
    models = {"models/other": {"path": "other"}, "models/third": {"path": "third"}}
    rules = [{"rule": "excess", "keep": 50, "reference": "third"}, {**STM, "scorer": "other"}]
    rule = {"rule": "combine", "how": "or", "of": [*rules, {"rule": "lowest", "like": "low"}]}
    low = {"responses": "self_output", "weights": {**STM, "scorer": "smollm2-135m-q4"}}
    specs = Specs(demo({**models, **variant(rule, "self_output"), "variants/low": low}))
    asked = specs.inputs.other_scores(SimpleNamespace(**{**vars(WILDCARDS), "variant": "new"}))
    place = "results/demo/scores/{}/smollm2-135m-q4/sums/train.self_output.parquet"
    assert asked == [place.format(name) for name in ("other", "smollm2-135m-q4", "third")]
    assert specs.inputs.other_scores(WILDCARDS) == []


def test_a_formula_that_cannot_be_computed_is_refused_with_its_variant_and_place():
    rule = {"rule": "combine", "how": "and", "of": [STM, {"rule": "expression", "formula": "exp(logprop) + 1"}]}
    with pytest.raises(UserError) as caught:
        Specs(demo(variant(rule)))
    assert str(caught.value) == (
        "variants: new: weights: expression: column 5, 'logprop': no such column; did you mean logprob?"
    )


TUNED = {"rule": "dpf", "reference": {"variant": "ground-truth"}}


def test_a_variant_s_adapter_may_score(refusal):
    rule = {"rule": "combine", "how": "and", "of": [STM, TUNED]}
    study = demo({**variant(rule), "seeds": [4, 5]})
    name = "smollm2-135m-q4+sums.ground-truth.seed4"
    found = json.loads(spec(study, "build_masks", variant="new"))["weights"]["of"][1]
    assert found == {"rule": "dpf", "delta": 0.0, "reference": name}
    specs, wildcards = Specs(study), SimpleNamespace(**{**vars(WILDCARDS), "variant": "new", "scorer": name})
    [scores] = specs.inputs.other_scores(wildcards)
    assert scores == f"results/demo/scores/{name}/smollm2-135m-q4/sums/train.reference.parquet"
    assert Layout.of("demo").scores.parse(scores)["scorer"] == name
    assert re.fullmatch(specs.constraints()["scorer"], name)
    assert specs.inputs.scorer(wildcards) == "results/demo/models/smollm2-135m-q4/model.json"
    [adapter] = specs.inputs.scoring_adapter(wildcards)
    assert adapter == "results/demo/adapters/smollm2-135m-q4/sums/ground-truth/seed4/adapter.json"
    assert specs.inputs.scoring_adapter(WILDCARDS) == []
    own = specs.score_token_perplexity(WILDCARDS)
    assert specs.score_token_perplexity(wildcards) == own, "how a model is loaded is its own, with an adapter or not"
    seeded = {**TUNED, "reference": {"variant": "ground-truth", "seed": 5}}
    changed = weights_of({**variant(seeded), "seeds": [4, 5]})
    assert changed["reference"].endswith(".seed5")
    assert refusal(study_with(variant(seeded))) == ("variants: new: weights: scorer: seed: 5 is not one of seeds: 0")
    wrong = {**TUNED, "reference": {"variant": "ground_truth"}}
    assert "scorer: variant: 'ground_truth' is not one of ground-truth, " in refusal(study_with(variant(wrong)))
    assert refusal(study_with(variant({**TUNED, "reference": {"variant": "new"}}))) == (
        "variants: new: weights: new -> new: one of them needs a rule that waits for no other variant"
    )


def test_variants_that_imitate_each_other_are_refused(refusal):
    circle = {
        "variants/one": {"responses": "reference", "weights": {"rule": "lowest", "like": "two"}},
        "variants/two": {
            "responses": "reference",
            "weights": {"rule": "combine", "how": "or", "of": [STM, {"rule": "lowest", "like": "one"}]},
        },
    }
    found = refusal(study_with(circle))
    assert found == (
        "variants: one: weights: one -> two -> one: one of them needs a rule that waits for no other variant"
    )


def test_what_draws_at_random_cannot_be_imitated_wherever_it_draws(refusal):
    drawn = {"rule": "combine", "how": "and", "of": [STM, RANDOM]}
    changes = {
        **variant(drawn),
        "variants/other": {"responses": "reference", "weights": {"rule": "lowest", "like": "new"}},
    }
    assert "new must have the same responses and a rule that does not draw at random" in refusal(study_with(changes))


def test_existing_rules_have_the_specs_that_they_always_had():
    assert canonical(weights_of({}, "ground-truth")) == '{"rule":"all"}'
    assert canonical(weights_of({}, "stm-2.5")) == '{"rule":"perplexity","tau":"2.5"}'
    assert canonical(weights_of({}, "random-2.5")) == '{"like":{"rule":"perplexity","tau":"2.5"},"rule":"random"}'


def test_a_spec_holds_the_rules_of_the_variants_that_are_imitated_however_deep():
    rule = {"rule": "combine", "how": "product", "of": [SOFT, {"rule": "lowest", "like": "low"}]}
    low = {"responses": "reference", "weights": {"rule": "lowest", "like": "stm-2.5"}}
    found = weights_of({**variant(rule), "variants/low": low})
    assert found["of"] == [SOFT, {"rule": "lowest", "like": {"rule": "lowest", "like": STM}}]
    # and so the masks rerun when that variant's threshold changes
    changed = weights_of({**variant(rule), "variants/low": low, "variants/stm-2.5/weights/tau": "3"})
    assert changed != found


def test_keys_that_are_null_are_in_no_spec():
    assert weights_of(variant({"rule": "entropy", "at_most": 1})) == {"rule": "entropy", "at_most": 1.0}
    held = {"rule": "combine", "how": "and", "of": [STM, {"rule": "entropy", "at_least": 1, "at_most": None}]}
    assert weights_of(variant(held))["of"][1] == {"rule": "entropy", "at_least": 1.0}


def test_a_rule_that_draws_within_another_has_masks_for_each_seed():
    rule = {"rule": "combine", "how": "and", "of": [{"rule": "rank", "top": 5}, RANDOM]}
    study = demo(variant(rule))
    assert draws(study.variants["new"].weights)
    assert Specs(study).draws("new", 3) == ".draw3"
    assert [name for name, drawn in Specs(study).names["variants"] if drawn] == ["random-2.5", "new"]
    assert not draws(study.variants["stm-2.5"].weights)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in ("excess", "dpf")])
def test_the_settings_that_tests_give_a_rule_are_those_of_its_model(rule):
    """The rule's plugin is tested with what a study gives it."""
    as_said = json.loads(json.dumps(RULES[rule]))
    if "like" in as_said:
        as_said["like"] = "stm-2.5"
    assert weights_of(variant(as_said)) == RULES[rule]


def test_masks_have_the_code_of_the_rules_that_they_use_and_of_no_others():
    def rules(weights):
        roots = stage_code.roots("build_masks", {"weights": weights})
        return {root.removeprefix("clearminds.plugins.weights.") for root in roots if ".plugins." in root}

    assert rules({"rule": "all"}) == {"all:weights"}
    assert rules(STM) == {"perplexity:weights", "perplexity:fit"}
    nested = {"rule": "combine", "how": "and", "of": [SOFT, {"rule": "random", "like": {"rule": "rank", "top": 1}}]}
    assert rules(nested) == {"combine:weights", "soft:weights", "soft:fit", "random:weights", "rank:weights"}

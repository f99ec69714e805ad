"""The settings that each stage's spec holds: what of a study changes which jobs."""

import json

import pytest
from demo_study import DEMO, demo, jobs, spec
from hypothesis import given
from hypothesis import strategies as st

from clearminds.config.study import Study
from clearminds.files.digests import canonical
from clearminds.run.specs import Specs

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(), values, max_size=4),
    max_leaves=12,
)


def reordered(value: object) -> object:
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_a_spec_does_not_depend_on_the_order_of_its_keys(value):
    assert canonical(reordered(value)) == canonical(value)
    assert json.loads(canonical(value)) == value
    assert "\n" not in canonical(value)


def test_no_job_depends_on_the_order_of_the_study_but_the_tables():
    before, after = jobs(demo()), jobs(Study.model_validate(reordered(DEMO)))
    assert {job[0] for job in before if before[job] != after[job]} == {
        "summarise",
        "report",
    }  # columns in the order given


def changed_stages(changes: dict[str, object]) -> set[str]:
    """The stages of which a change of the study changes any job."""
    before, after = jobs(demo()), jobs(demo(changes))
    return {job[0] for job in before if job in after and before[job] != after[job]}


EVALUATIONS = ("evaluate_base", "evaluate_adapter")
STM = {"responses": "reference", "weights": {"rule": "perplexity", "tau": "4"}}


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({"runtime": {"batch_tokens": 1, "batch_rows": 1, "generate_tokens": 1}}, set()),
        ({"runtime": {"gradient_checkpointing": True, "report_to": "tensorboard"}}, set()),
        ({"variants/stm-2.5": STM}, {"build_masks", "report"}),
        ({"variants/new": STM}, {"analyse", "summarise", "report"}),
        ({"training/rank": 4}, {"rehearse", "train_adapter", "report"}),
        ({"training/epochs": 4}, {"train_adapter", "report"}),
        ({"training/normaliser": "weights"}, set()),
        ({"training/normaliser": "all"}, {"train_adapter", "report"}),
        ({"variants/stm-2.5/loss": {"rule": "dft"}}, {"rehearse", "train_adapter", "report"}),
        ({"training/max_length": 4}, {"rehearse", "build_masks", "report"}),
        (
            {"scoring/dtype": "bfloat16"},
            {"rehearse", "score_token_perplexity", *EVALUATIONS, "measure_gradients", "report"},
        ),
        ({"analyses": ["nll"]}, {"report"}),
        ({"training/validation_every": 5}, {"train_adapter", "report"}),
        ({"sources/rephrase/temperature": 0.1}, {"generate_responses", "report"}),
        ({"sources/rephrase/when_none_accepted": "reference"}, {"build_masks", "report"}),
        ({"tasks/sums/verifier": "number"}, {"rehearse", "verify_responses", *EVALUATIONS, "report"}),
        ({"tasks/sums/seed": 8}, {"prepare_task", "report"}),
        ({"tasks/sums/special_tokens": "keep"}, set()),
        (
            {"tasks/sums/special_tokens": "as_text"},
            {"rehearse", "generate_responses", "score_token_perplexity", *EVALUATIONS, "report"},
        ),
        (
            {"tasks/gcd/evaluate": "choice"},
            {"prepare_task", "rehearse", *EVALUATIONS, "summarise", "report"},
        ),
        (
            {"tasks/sums/sampling": {"samples": 4, "k": [1, 4]}},
            {"rehearse", *EVALUATIONS, "report"},
        ),
        ({"runtime": {"sandbox": "rlimits"}}, set()),
        ({"runtime": {"rehearse": False}}, set()),
        ({"match/sources": ["reference"]}, {"build_masks", "report"}),
        ({"seeds": [0, 1]}, {"analyse", "summarise", "report"}),
        ({"sources/rephrase/backend": "transformers", "evaluation/backend": "transformers"}, set()),
        ({"sources/rephrase/backend": "vllm"}, {"generate_responses", "report"}),
        ({"evaluation/backend": "vllm"}, {*EVALUATIONS, "report"}),
        ({"suites/more": ["lm_eval:arc_easy"]}, {"rehearse", "summarise", "report"}),
        ({"runtime": {"vllm_python": "/elsewhere/python"}}, set()),
        ({"evaluation/max_new_tokens": 9}, {"rehearse", *EVALUATIONS, "report"}),
        ({"models/smollm2-135m-q4/sha256": "0" * 64}, {"fetch_model", "report"}),
        (
            {"models/smollm2-135m-q4/trust_remote_code": True},
            {"fetch_model", "rehearse", "generate_responses", "score_token_perplexity", "train_adapter", "report"}
            | {*EVALUATIONS, "measure_gradients"},
        ),
    ],
)
def test_a_setting_is_in_the_specs_of_the_stages_that_read_it_and_no_others(changes, changed):
    assert changed_stages(changes) == changed


def test_a_model_without_python_of_its_own_is_fetched_by_a_spec_that_does_not_name_it():
    assert "trust_remote_code" not in spec(demo(), "fetch_model")


def test_tau_is_in_the_masks_spec_and_in_no_score_s():
    other = demo({"variants/stm-2.5": STM})
    study = demo()
    assert spec(study, "score_token_perplexity") == spec(other, "score_token_perplexity")
    assert spec(study, "build_masks") != spec(other, "build_masks")
    assert spec(study, "build_masks", variant="ground-truth") == spec(other, "build_masks", variant="ground-truth")
    control = {"variant": "random-2.5", "draw": ".draw0"}
    assert spec(study, "build_masks", **control) != spec(other, "build_masks", **control)


def test_training_of_one_variant_changes_no_other_variant():
    other = demo({"variants/rephrase/training": {"rank": 4}})
    study = demo()
    for variant in study.variants:
        same = spec(study, "train_adapter", variant=variant) == spec(other, "train_adapter", variant=variant)
        assert same == (variant != "rephrase")


def test_growing_one_split_leaves_the_others_as_they_are():
    other = demo({"tasks/sums/splits/test": 500})
    study = demo()
    assert spec(study, "prepare_task", split="train") == spec(other, "prepare_task", split="train")
    assert spec(study, "prepare_task", split="test") != spec(other, "prepare_task", split="test")


def test_a_split_more_may_move_items_and_so_changes_the_others():
    other = demo({"tasks/products/splits": {"test": 96, "validation": 4}})
    chosen = {"task": "products", "split": "test"}
    assert spec(demo(), "prepare_task", **chosen) != spec(other, "prepare_task", **chosen)


def test_the_draw_and_the_seed_are_in_the_specs_of_what_they_drive():
    study = demo()
    draws = {spec(study, "build_masks", variant="random-2.5", draw=f".draw{n}") for n in range(3)}
    seeds = {spec(study, "train_adapter", seed=str(n)) for n in range(3)}
    assert len(draws) == len(seeds) == 3


def test_copied_references_need_nothing_of_the_model():
    study = demo()
    other = demo({"models/smollm2-135m-q4/attn_implementation": "eager"})
    for source, same in (("reference", True), ("self_output", False)):
        before, after = (spec(s, "generate_responses", source=source) for s in (study, other))
        assert (before == after) is same


def test_choices_are_made_for_what_is_evaluated_and_their_metric_concerns_the_tables_alone():
    study = demo({"tasks/sums/evaluate": "choice"})
    assert spec(study, "prepare_task", split="train") == spec(demo(), "prepare_task", split="train")
    assert json.loads(spec(study, "prepare_task", split="test"))["task"]["choices"] == 4
    chosen = demo({"tasks/sums/evaluate": "choice", "tasks/sums/metric": "acc_norm", "tasks/sums/lead_in": "It is "})
    [task] = [one for one in json.loads(spec(chosen, "evaluate_base"))["tasks"] if one["name"] == "sums"]
    assert task == {"name": "sums", "evaluate": "choice", "lead_in": "It is "}
    for of, metric in ((study, "acc"), (chosen, "acc_norm")):
        [task] = [one for one in json.loads(spec(of, "summarise"))["tasks"] if one["name"] == "sums"]
        assert task == {"name": "sums", "evaluate": "choice", "metric": metric, "filter": "none"}


def test_a_task_of_the_harness_keeps_the_study_s_name():
    study = demo({"tasks/facts": {"kind": "lm_eval", "name": "mmlu"}, "suites/more": ["facts"]})
    [task] = json.loads(spec(study, "evaluate_base", suite="more"))["tasks"]
    assert task == {"name": "facts", "evaluate": "lm_eval", "harness": "mmlu"}


@pytest.mark.parametrize(("policy", "sources"), [("drop", []), ("reference", ["reference"])])
def test_the_report_reads_references_that_a_source_falls_back_to(policy, sources):
    own = {"variants": {"own": {"responses": "self_output"}}, "match/sources": ["rephrase"]}
    study = demo({**own, "sources/self_output/when_none_accepted": policy})
    assert json.loads(spec(study, "report"))["names"]["sources"] == ["rephrase", "self_output", *sources]


def test_what_a_target_is_tested_on_concerns_the_tables_only():
    suite = {"suites/small": ["products", "gcd", "lcm"]}
    before, after = demo(suite), demo({**suite, "tasks/sums/tested_on": "gcd"})
    for stage in ("prepare_task", "verify_responses", "evaluate_base", "rehearse"):
        assert spec(after, stage) == spec(before, stage)
    tests = [task.get("tests") for task in json.loads(spec(after, "summarise"))["tasks"]]
    assert tests == [None, ["sums"], None]
    assert "tests" not in spec(before, "summarise")


@pytest.mark.parametrize(("given", "gpus", "tokens"), [("auto", 0, 1024), ("auto", 2, 4096), (77, 0, 77)])
def test_batches_that_choose_themselves_reach_the_jobs_as_a_number_and_no_spec(given, gpus, tokens):
    study = demo({"runtime/batch_tokens": given, "runtime/gpus": gpus})
    how = Specs(study).launch("score_token_perplexity")["how"]
    assert json.loads(how(None, 1))["batch_tokens"] == tokens
    assert spec(study, "score_token_perplexity") == spec(demo(), "score_token_perplexity")

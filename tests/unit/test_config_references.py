"""What the blocks of a study say of one another, and what of it cannot go together."""

import re

import pytest
from demo_study import DEMO, study_with

from clearminds.config.losses import NEED_THE_BASE
from clearminds.plugins.load import load as plugin
from clearminds.plugins.load import names

TASKS = ", ".join(DEMO["tasks"])
SOURCES = ", ".join(["reference", *DEMO["sources"]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": ["sum"]}, f"targets: 'sum' is not one of {TASKS}; did you mean sums?"),
        ({"targets": ["sums", "sums"]}, "targets: 'sums' appears twice; take one out"),
        ({"targets": ["gcd"]}, "tasks: gcd: splits: train is missing, on which a target is trained; found: test"),
        (
            {"suites/small": ["sums", "product"]},
            f"suites: small: 'product' is not one of {TASKS}; did you mean products?",
        ),
        ({"suites/small": ["sums", "sums"]}, "suites: small: 'sums' appears twice; take one out"),
        ({"suites/large": ["sums"]}, "suites (a task in two of them): 'sums' appears twice; take one out"),
        (
            {"suites/large": ["lm_eval:"]},
            "suites: large: 'lm_eval:' names no task; write one behind lm_eval:, as in lm_eval:arc_easy",
        ),
        (
            {"tasks/gcd/splits": {"validation": 3}},
            "tasks: gcd: splits: test is missing, on which it is evaluated; found: validation",
        ),
        ({"tasks/gcd/splits": {}}, "tasks: gcd: splits: at least one entry is needed, not {}"),
        (
            {"match/sources": ["reference", "self-output"]},
            f"match: sources: 'self-output' is not one of {SOURCES}; did you mean self_output?",
        ),
        ({"match/sources": ["reference"] * 2}, "match: sources: 'reference' appears twice; take one out"),
        ({"match/sources": []}, "match: sources: at least one entry is needed, not []"),
        (
            {"variants/ground-truth/responses": "referense"},
            f"variants: ground-truth: responses: 'referense' is not one of {SOURCES}; did you mean reference?",
        ),
        (
            {"tasks/chat-drift/answers": "everydy"},
            "tasks: chat-drift: answers: 'everydy' is not one of self_output, rephrase, everyday; "
            "did you mean everyday?",
        ),
        ({"sources/reference": {}}, "sources: reference is built in; give another name"),
        ({"sources/mine": {}}, "sources: mine: needs kind: self_output or rephrase"),
        ({"variants/base": {"responses": "reference"}}, "variants: base is built in (the model as it is); "),
    ],
)
def test_a_name_must_be_declared_where_it_belongs(refusal, changes, message):
    assert refusal(study_with(changes)).startswith(message)


@pytest.mark.parametrize(
    ("like", "responses", "message"),
    [
        ("new", "reference", "'new' is not one of ground-truth, self-output, rephrase, stm-2.5, random-2.5"),
        ("stm-25", "reference", "'stm-25' is not one of ground-truth, .*; did you mean stm-2.5\\?$"),
        ("random-2.5", "reference", "random-2.5 must have the same responses and a rule that does not draw at random"),
        ("stm-2.5", "self_output", "stm-2.5 must have the same responses and a rule that does not draw at random"),
    ],
)
def test_a_random_rule_imitates_another_rule_on_the_same_responses(refusal, like, responses, message):
    variant = {"responses": responses, "weights": {"rule": "random", "like": like}}
    found = refusal(study_with({"variants/new": variant}))
    assert re.match(rf"variants: new: weights: like: {message}", found)


def test_a_variant_overrides_known_keys_of_training_only(refusal):
    found = refusal(study_with({"variants/ground-truth/training": {"rnk": 4}}))
    assert found.startswith("variants: ground-truth: training: 'rnk' is not one of adapter, rank, ")
    assert found.endswith("; did you mean rank?")


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"rank": "16"}, "rank: a whole number is needed, not '16'; write it without quotes"),
        ({"rank": None}, "rank: a whole number belongs here, not None; fill it in or take the key out"),
        ({"epochs": 0}, "epochs: input should be greater than 0, not 0"),
        ({"scheduler": "greedy"}, "scheduler: 'greedy' is not one of linear, cosine, cosine_with_restarts, "),
        ({"target_modules": 3}, "target_modules: a text or a list is needed, not 3; write it in quotes"),
        ({"target_modules": ["a", 3]}, "target_modules: 1: a text is needed, not 3; write it in quotes"),
        ({"target_modules": []}, "target_modules: at least one entry is needed, not []"),
    ],
)
def test_what_a_variant_overrides_is_checked_like_training_itself(refusal, training, message):
    found = refusal(study_with({"variants/ground-truth/training": training}))
    assert found.startswith(f"variants: ground-truth: training: {message}")


def test_a_variant_cannot_override_max_length(refusal):
    assert refusal(study_with({"variants/ground-truth/training": {"max_length": 100}})) == (
        "variants: ground-truth: training: max_length fixes the matched examples; set it for all variants"
    )


def test_a_variant_takes_the_other_keys_from_training(load):
    study = load(study_with({"variants/ground-truth/training": {"rank": 4}}))
    assert study.training_of("ground-truth") == study.training.model_copy(update={"rank": 4})
    assert study.training_of("stm-2.5") == study.training


# --- several processes of a training ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"runtime/gpus": 3},
            "variants: ground-truth: training: batch_examples: 8 must be a multiple of runtime: gpus: 3, ",
        ),
        (
            {"runtime/gpus": 4, "variants/stm-2.5/training": {"batch_examples": 6}},
            "variants: stm-2.5: training: batch_examples: 6 must be a multiple of runtime: gpus: 4, ",
        ),
        (
            {"runtime/gpus": 2, "runtime/fsdp": True, "variants/stm-2.5/training": {"adapter": "dora"}},
            "variants: stm-2.5: training: adapter: dora takes norms of whole weights, which runtime: fsdp spreads; ",
        ),
        (
            {"runtime/gpus": 2, "runtime/fsdp": True, "variants/stm-2.5/training": {"adapter": "pissa"}},
            "variants: stm-2.5: training: adapter: pissa takes singular values of whole weights, which runtime: fsdp ",
        ),
        (
            {"runtime/gpus": 2, "runtime/fsdp": True, "variants/stm-2.5/training": {"adapter": "full"}},
            "variants: stm-2.5: training: adapter: full saves whole weights, which runtime: fsdp spreads; ",
        ),
        (
            {"runtime/gpus": 2, "runtime/fsdp": True, "models/smollm2-135m-q4/quantization": "4bit"},
            "models: smollm2-135m-q4: quantization: weights of 4 bits cannot be spread; ",
        ),
    ],
)
def test_what_several_processes_cannot_train_is_refused_before_anything_runs(refusal, load, changes, message):
    assert refusal(study_with(changes)).startswith(message)
    assert load(study_with({**changes, "runtime/gpus": 1, "runtime/fsdp": False}))


# --- online rules -----------------------------------------------------------------------------------------------------

NEW = {"responses": "reference"}


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ({"rule": "dtf"}, "'dtf' is not one of dft, profit, eaft, asft, infosft, clip, kl, eksft; did you mean dft?"),
        ({"rule": "kl"}, "kl: beta: missing; add this key"),
        ({"rule": "infosft"}, "infosft: c: missing; add this key"),
        ({"rule": "kl", "beta": -0.1}, "beta: input should be greater than or equal to 0, not -0.1"),
        ({"rule": "clip", "epsilon": 0}, "epsilon: input should be greater than 0, not 0"),
        ({"rule": "eksft", "top": 1}, "top: input should be less than 1, not 1"),
        ({"rule": "dft", "alpha": 1}, "dft: alpha: unknown key"),
    ],
)
def test_a_loss_is_a_known_rule_with_its_own_keys(refusal, loss, message):
    found = refusal(study_with({"variants/new": {**NEW, "loss": loss}}))
    assert found.startswith("variants: new: loss") and message in found


@pytest.mark.parametrize("rule", ["asft", "clip", "eksft", "kl"])
@pytest.mark.parametrize("kind", ["pissa", "full"])
def test_what_changes_the_base_is_refused_where_that_is_asked(refusal, load, rule, kind):
    loss = {"rule": rule, **({"beta": 0.1} if rule == "kl" else {})}
    found = refusal(study_with({"variants/new": {**NEW, "loss": loss, "training": {"adapter": kind}}}))
    assert found.startswith(
        f"variants: new: training: adapter: {kind} changes the base's weights, which loss: rule: {rule}"
    )
    assert load(study_with({"variants/new": {**NEW, "loss": loss, "training": {"adapter": "rslora"}}}))
    assert load(study_with({"variants/new": {**NEW, "loss": {"rule": "dft"}, "training": {"adapter": kind}}}))


def test_the_rules_that_are_refused_with_pissa_are_those_that_ask_the_base():
    found = [name for name in names("losses") if plugin("losses", name).RULE.needs_base]
    assert found == sorted(NEED_THE_BASE)


@pytest.mark.parametrize("kind", ["pissa", "full"])
def test_what_changes_the_base_takes_no_weights_of_four_bits(refusal, kind):
    changes = {"models/smollm2-135m-q4/quantization": "4bit", "variants/stm-2.5/training": {"adapter": kind}}
    assert refusal(study_with(changes)).startswith(
        f"variants: stm-2.5: training: adapter: {kind} changes whole weights"
    )


def test_weights_are_the_normaliser_unless_another_is_named(load):
    studies = [load(study_with({"training/normaliser": name})) for name in (None, "weights", "kept")]
    assert [study.training.normaliser for study in studies] == [None, None, "kept"]


# --- backends ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", ["sources/rephrase", "evaluation"])
def test_a_backend_is_transformers_unless_vllm_is_asked_for(load, refusal, block):
    assert load(study_with({f"{block}/backend": "transformers"})) == load(study_with({f"{block}/backend": None}))
    assert load(study_with({f"{block}/backend": "transformers"})) == load(DEMO)
    assert load(study_with({f"{block}/backend": "vllm"})) != load(DEMO)
    message = refusal(study_with({f"{block}/backend": "vlm"}))
    assert message.startswith(block.replace("/", ": ") + ": backend: ")
    assert "'vlm'" in message and "transformers" in message and "vllm" in message


@pytest.mark.parametrize(("block", "key"), [("sources/rephrase", "sources: rephrase"), ("evaluation", "evaluation")])
def test_vllm_takes_no_model_that_is_quantised_on_loading(refusal, load, block, key):
    quantised = {"models/smollm2-135m-q4/quantization": "4bit"}
    assert load(study_with(quantised))
    assert refusal(study_with({**quantised, f"{block}/backend": "vllm"})) == (
        f"{key}: backend: vllm takes no model with quantization: 4bit, as smollm2-135m-q4 has; set quantization: none, "
        "or backend: transformers"
    )


PAIR = {"prompt": "a", "response": "b"}
MINE = {"kind": "file", "splits": {"train": "a.jsonl", "test": "b.jsonl"}, "columns": PAIR}
HUB = {"kind": "hub", "hub": "me/it", "splits": {"test": "test"}, "columns": {"messages": "m"}, "prompt_only": True}


def suited(task: dict, **changes: object) -> dict:
    """The demo with one more task in a suite."""
    return study_with({"tasks/mine": task, "suites/more": ["mine"], **changes})


@pytest.mark.parametrize("verifier", ["exact", "number", "math"])
@pytest.mark.parametrize("task", [MINE, HUB], ids=["file", "hub"])
def test_a_verifier_that_compares_with_an_answer_needs_its_column(refusal, load, task, verifier):
    task = {**task, "verifier": verifier}
    said = (
        f"tasks: mine: verifier: {verifier} compares with an answer; name its column (columns: {{..., "
        "answer: YOURS}), or set verifier: unverified and evaluate: likelihood"
    )
    assert refusal(suited(task)) == said
    assert load(suited({**task, "columns": {**task["columns"], "answer": "c"}}))


def test_no_verifier_is_asked_about_what_is_neither_trained_on_nor_measured_by_accuracy(refusal, load):
    assert load(study_with({"tasks/mine": MINE}))
    likely = {**MINE, "evaluate": "likelihood"}
    assert load(suited(likely))
    # of a target every response is judged
    assert "verifier: exact compares with an answer" in refusal(suited(likely, targets=["sums", "mine"]))
    assert load(suited({**likely, "verifier": "unverified"}, targets=["sums", "mine"]))
    assert load(study_with({"tasks/mine": {**MINE, "verifier": "unverified"}}))


@pytest.mark.parametrize("task", [{**MINE, "verifier": "unverified"}, {"kind": "human_eval", "splits": {"test": 1}}])
def test_what_nobody_verifies_has_no_accuracy(refusal, task):
    said = "tasks: mine: verifier: unverified gives no accuracy; set evaluate: likelihood, or a verifier"
    assert refusal(suited(task)) == said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tasks/sums/lead_in": "It is"},
            "tasks: sums: lead_in is a key of evaluate: choice, not of accuracy; take it out",
        ),
        ({"tasks/sums/choices": 3}, "tasks: sums: choices is a key of evaluate: choice, not of accuracy; take it out"),
        (
            {"tasks/gcd/evaluate": "choice", "tasks/gcd/sampling": {"samples": 4}},
            "tasks: gcd: sampling is a key of evaluate: accuracy, not of choice; take it out",
        ),
        (
            {"tasks/sums/sampling": {"samples": 4, "k": [1, 5]}},
            "tasks: sums: sampling: k: 5 is more than the 4 samples; raise samples, or lower k",
        ),
        (
            {"tasks/sums/sampling": {"samples": 4, "k": [2, 2]}},
            "tasks: sums: sampling: k: 2 appears twice; take one out",
        ),
        (
            {"tasks/chat-drift/evaluate": "choice", "tasks/chat-drift/answers": ...},
            "tasks: chat-drift: evaluate: choice reads choices and gold of an example; add template: {..., choices: "
            "...}, or set another evaluate",
        ),
    ],
)
def test_keys_of_one_measure_are_refused_beside_another(refusal, changes, message):
    assert refusal(study_with(changes)).startswith(message)


# a target whose score is another task's: sums, which has no test split then, is tested on gcd
TESTED = {
    "tasks/sums/tested_on": "gcd",
    "tasks/sums/splits": {"train": 160},
    "suites/small": ["products", "gcd", "lcm", "gsm-symbolic-text"],
}


def test_a_target_may_be_tested_on_another_task(load):
    assert load(study_with(TESTED)).tasks["sums"].tested_on == "gcd"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tasks/sums/tested_on": "chat-drift"},
            "tasks: sums: tested_on: 'chat-drift' is not one of products, gcd, lcm, gsm-symbolic-text",
        ),
        (
            {"tasks/sums/tested_on": "gsm-symbolic-text"},
            "tasks: sums: tested_on: gsm-symbolic-text measures no accuracy; name a task that does",
        ),
        (
            {"tasks/sums/splits": {"train": 160, "test": 8}, "suites/small": ["sums", "gcd"]},
            "tasks: sums: tested_on: sums is tested on gcd; take sums itself out of suites",
        ),
        (
            {"tasks/lcm/tested_on": "gcd"},
            "tasks: lcm: tested_on: lcm is no target; take the key out, or name it in targets",
        ),
    ],
)
def test_what_a_target_is_tested_on_must_give_one_score(refusal, changes, message):
    assert refusal(study_with({**TESTED, **changes})) == message

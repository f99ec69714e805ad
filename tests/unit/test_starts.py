"""Trainings that begin where another one ended: what a study may say of it, what they are given, where they begin."""

import json
from types import SimpleNamespace

import pytest
import torch
from demo_study import DEMO, MODEL, WILDCARDS, demo, spec, study_with
from hypothesis import given
from hypothesis import strategies as st
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file
from small_training import masks, runtime, training
from tiny import tiny_model_folder
from transformers import AutoModelForCausalLM

from clearminds.errors import UserError
from clearminds.files.study_files import evaluation_rows, mask_rows, seen_examples
from clearminds.model.loading import Loading
from clearminds.run.specs import Specs
from clearminds.stages.training.base import Base
from clearminds.stages.training.checkpoints import Checkpoints
from clearminds.stages.training.save_adapter import save
from clearminds.stages.training.start import begin
from clearminds.stages.training.trainer import seeded, train

SECOND = {**DEMO["tasks"]["sums"], "seed": 8}
TWO = {"tasks/more": SECOND, "suites/small": [*DEMO["suites"]["small"], "more"], "targets": ["sums", "more"]}
THEN = {"responses": "reference", "targets": ["more"], "start_from": {"variant": "ground-truth", "target": "sums"}}


def with_start(start, **variant):
    return {**TWO, "variants/new": {"responses": "reference", "start_from": start, **variant}}


def of(variant, target="sums", seed="0"):
    return SimpleNamespace(**{**vars(WILDCARDS), "variant": variant, "target": target, "seed": seed})


@pytest.mark.parametrize(
    ("start", "target", "seed"),
    [
        ("ground-truth", "more", "5"),
        ({"variant": "ground-truth"}, "more", "5"),
        ({"variant": "ground-truth", "seed": "same"}, "more", "5"),
        ({"variant": "ground-truth", "target": "sums"}, "sums", "5"),
        ({"variant": "ground-truth", "target": "sums", "seed": 4}, "sums", "4"),
    ],
)
def test_a_training_waits_for_the_one_that_it_begins_from(start, target, seed):
    specs, place = Specs(demo({**with_start(start), "seeds": [4, 5]})), of("new", "more", "5")
    assert specs.train_adapter(place)["start"] == {"variant": "ground-truth", "target": target, "seed": seed}
    [adapter] = specs.inputs.start_of(place)
    assert adapter == f"results/demo/adapters/{MODEL}/{target}/ground-truth/seed{seed}/adapter.json"
    assert specs.inputs.start_of(of("ground-truth")) == []
    assert "start" not in specs.train_adapter(of("ground-truth"))


def test_the_tables_look_for_items_in_all_that_a_training_has_seen():
    assert "seen" not in Specs(demo(with_start("ground-truth"))).names, "the same target"
    replay = {"task": "gcd", "source": "reference", "share": 0.5}
    gcd = {**DEMO["tasks"]["gcd"], "splits": {"train": 40, "test": 8}}
    chain = {"responses": "reference", "targets": ["more"], "start_from": "then", "replay": replay}
    study = {**with_start("ground-truth"), "tasks/gcd": gcd, "variants/then": THEN, "variants/last": chain}
    specs = Specs(demo(study))
    assert specs.names["seen"] == {"then": {"more": ["sums"]}, "last": {"more": ["gcd", "sums"]}}
    inputs = specs.inputs.train_examples(WILDCARDS)
    assert list(seen_examples(specs.summarise()["names"]).values()) == inputs
    assert [path.split("/")[-2] for path in inputs] == ["sums", "more", "gcd"]


def test_the_start_is_in_the_specs_of_its_trainings_alone():
    plain, begun = demo(with_start(None)), demo(with_start("stm-2.5"))
    for stage in ("build_masks", "evaluate_adapter", "rehearse", "summarise"):
        assert spec(plain, stage, variant="new") == spec(begun, stage, variant="new")
    assert spec(plain, "train_adapter", variant="new") != spec(begun, "train_adapter", variant="new")
    assert spec(plain, "train_adapter") == spec(begun, "train_adapter") == spec(demo(), "train_adapter")


def test_a_variant_of_some_targets_has_results_of_these_alone():
    names = Specs(demo({**TWO, "variants/then": THEN})).names
    found = [row for row in (*evaluation_rows(names), *mask_rows(names)) if row["variant"] == "then"]
    assert [row["target"] for row in found] == ["more", "more"]
    assert "only" not in Specs(demo(TWO)).names


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (with_start("ground_truth"), "start_from: variant: 'ground_truth' is not one of ground-truth, "),
        (
            with_start({"variant": "ground-truth", "target": "sum"}),
            "start_from: target: 'sum' is not one of sums, more",
        ),
        (with_start({"variant": "ground-truth", "seed": 7}), "start_from: seed: 7 is not one of seeds: 0"),
        (with_start({"varaint": "ground-truth"}), "start_from: variant: missing; found 'varaint'"),
        (
            with_start("new"),
            "start_from: new on sums -> new on sums: one of them needs a start that waits for no other",
        ),
        (with_start("stm-2.5", training={"rank": 4}), "has rank: 16, and this variant rank: 4; the same adapter is "),
        (with_start("stm-2.5", training={"adapter": "dora"}), "has adapter: lora, and this variant adapter: dora"),
        (
            with_start("stm-2.5", training={"adapter": "pissa"}),
            "adapter: pissa begins with singular values of the base",
        ),
        (
            {**with_start("stm-2.5"), "runtime": {"fsdp": True, "gpus": 2}},
            "start_from: runtime: fsdp spreads weights before a start",
        ),
        (
            {**with_start("then"), "variants/then": THEN},
            "start_from: then is not trained on sums; add that to its targets, or name another target here (more)",
        ),
        (
            {**with_start("stm-2.5"), "variants/stm-2.5/training": {"adapter": "full"}},
            "stm-2.5 trains all weights (adapter: full), which an adapter of the base cannot go on from",
        ),
    ],
)
def test_a_start_that_cannot_be_is_refused(refusal, changes, message):
    found = refusal(study_with(changes))
    assert found.startswith("variants: new: start_from: ") and message in found


def test_a_start_and_a_scorer_may_not_wait_for_each_other(refusal):
    rule = {"rule": "dpf", "reference": {"variant": "new"}}
    circle = {**with_start("scored"), "variants/scored": {"responses": "reference", "weights": rule}}
    assert "new on sums -> scored on sums -> new on sums: one of them needs a start" in refusal(study_with(circle))
    held = {"rule": "combine", "how": "and", "of": [rule, {"rule": "rank", "top": 1}]}
    imitates = {"responses": "reference", "weights": {"rule": "lowest", "like": "held"}}
    deeper = {
        **with_start("like"),
        "variants/held": {"responses": "reference", "weights": held},
        "variants/like": imitates,
    }
    assert "new on sums -> like on sums -> new on sums" in refusal(study_with(deeper))


def test_targets_of_variants_must_be_some(refusal):
    wrong = {**TWO, "variants/rephrase/targets": ["smus"]}
    assert refusal(study_with(wrong)).startswith("variants: rephrase: targets: 'smus' is not one of sums, more")
    scored = {"responses": "reference", "weights": {"rule": "dpf", "reference": {"variant": "then"}}}
    assert refusal(study_with({**TWO, "variants/then": THEN, "variants/dpf": scored})) == (
        "variants: dpf: weights: scorer: variant: then is not trained on sums; add that to its targets, or name "
        "another variant"
    )
    nobody = {**TWO, **{f"variants/{name}/targets": ["sums"] for name in DEMO["variants"]}}
    assert refusal(study_with(nobody)) == (
        "targets: more: no variant has it among its targets; take it out, or add it there"
    )


def test_pissa_is_gone_on_with_as_the_adapter_that_it_is_saved_as():
    doubled = {"rank": 32, "alpha": 64}
    pissa = {"variants/stm-2.5/training": {"adapter": "pissa"}}
    assert demo({**with_start("stm-2.5", training=doubled), **pissa}).training_of("new").rank == 32


@given(st.permutations(["a", "b", "c", "d"]), st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_starts_are_refused_just_where_they_go_round(order, starts):
    """Each variant begins from one of the four or, as it happens, from itself; the first one from the base."""
    begins = {name: order[start] for name, start in zip(order[1:], starts, strict=False)}
    variants = {name: {"responses": "reference", "start_from": begins.get(name)} for name in order}

    def ends(name, steps=0):
        return steps <= 4 and (name not in begins or ends(begins[name], steps + 1))

    study = study_with({f"variants/{name}": value for name, value in variants.items()})
    if all(map(ends, order)):
        assert set(Specs(demo({f"variants/{name}": value for name, value in variants.items()})).names["variants"][-1])
        return
    with pytest.raises(ValueError, match="one of them needs a start that waits for no other variant"):
        type(demo()).model_validate(study)


# --- where a training begins ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_model_folder(tmp_path_factory.mktemp("tiny") / "llama")


def trained(folder, place, start=None, seed=0, **changed):
    """A training's folder, and the Trainer after it."""
    chosen, base = training(**changed), Base("owner/name", "c0ffee", folder, {})
    seeded(seed)
    model = begin(folder, base, start, chosen, Loading(), 1)
    trainer, _, _ = train(model, masks(seed=seed), chosen, seed, runtime(), Checkpoints(place / "checkpoints", {}))
    save(trainer, place / "out" / "adapter.json", {"spec": {"training": vars(chosen)}}, {}, "", folder)
    return place / "out"


def first_state(folder, start, **changed):
    model = begin(folder, Base("owner/name", "c0ffee", folder, {}), start, training(**changed), Loading(), 1)
    return model, {name: p for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lora", "dora", "rslora"])
def test_an_adapter_is_trained_further_from_its_very_values(folder, tmp_path, kind):
    first = trained(folder, tmp_path / "a", adapter=kind)
    model, learn = first_state(folder, first, adapter=kind, dropout=0.5)
    stored, state = (
        load_file(first / "adapter_model.safetensors"),
        get_peft_model_state_dict(model, save_embedding_layers=False),
    )
    assert stored.keys() == state.keys() and len(stored) == len(learn)
    assert all(torch.equal(stored[name], state[name]) for name in stored)
    second = trained(folder, tmp_path / "b", first, seed=1, adapter=kind, dropout=0.5)
    config = json.loads((second / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["lora_dropout"], config["base_model_name_or_path"]) == (0.5, "owner/name")
    after = load_file(second / "adapter_model.safetensors")
    assert any(not torch.equal(after[name], stored[name]) for name in stored)
    fresh = load_file(
        trained(folder, tmp_path / "c", None, seed=1, adapter=kind, dropout=0.5) / "adapter_model.safetensors"
    )
    moved, apart = (sum((after[n] - other[n]).abs().sum() for n in stored) for other in (stored, fresh))
    assert moved < apart, "it goes on from the first one"


def test_all_weights_begin_with_those_of_a_model_or_of_the_base_and_an_adapter(folder, tmp_path):
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = torch.tensor([[5, 6, 7, 8]])
    adapter = trained(folder, tmp_path / "a", learning_rate=0.05)
    expected = PeftModel.from_pretrained(base, adapter)(ids).logits
    model, state = first_state(folder, adapter, adapter="full")
    torch.testing.assert_close(model(ids).logits, expected, atol=1e-4, rtol=1e-4)
    assert set(state) == {name for name, _ in model.named_parameters()}, "all of them learn"
    whole = trained(folder, tmp_path / "b", adapter, adapter="full")
    again, _ = first_state(folder, whole, adapter="full")
    for name, value in load_file(whole / "model.safetensors").items():
        assert torch.equal(dict(again.named_parameters())[name], value)


def test_an_adapter_of_another_form_is_refused_in_a_line(folder, tmp_path):
    first = trained(folder, tmp_path / "a")
    with pytest.raises(
        UserError, match=r"is of shape \[2, \d+\] there and \[3, \d+\] here; give both variants"
    ) as caught:
        first_state(folder, first, rank=3)
    assert "\n" not in str(caught.value)


def test_analyses_are_of_the_targets_that_a_variant_is_trained_on():
    specs = Specs(demo({**TWO, "variants/then": THEN, "analyses": ["weight_change", "masks"]}))
    own = {}
    for target in ("sums", "more"):
        place = SimpleNamespace(**vars(of("then", target)) | {"analysis": "masks"})
        own[target] = [name for name, _ in specs.analyse(place)["names"]["variants"]]
    assert "then" in own["more"] and "then" not in own["sums"] and "ground-truth" in own["sums"]


def test_a_rule_like_another_one_needs_the_same_scorer_on_its_own_target():
    tuned = {"rule": "perplexity", "tau": "2.5", "scorer": {"variant": "z"}}
    study = {
        **TWO,
        "variants/z": {"responses": "reference", "targets": ["sums"]},
        "variants/y": {"responses": "reference", "targets": ["sums"], "weights": tuned},
        "variants/x": {"responses": "reference", "targets": ["more"], "weights": {"rule": "lowest", "like": "y"}},
    }
    with pytest.raises(ValueError, match="x: weights: scorer: variant: z is not trained on more"):
        demo(study)

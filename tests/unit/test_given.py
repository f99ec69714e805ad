"""Adapters and models that somebody else trained: what a study may say of them, and whether they are of their base."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from demo_study import DEMO, MODEL, WILDCARDS, demo, spec, study_with
from peft import IA3Config, LoraConfig, PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig
from safetensors.torch import load_file, save_file
from tiny import tiny_adapter_folder, tiny_model_folder
from transformers import AutoModelForCausalLM

from clearminds.config.study import Study
from clearminds.errors import UserError
from clearminds.files.digests import file_sha256
from clearminds.files.study_files import adapter_paths, evaluation_rows, mask_rows, score_rows
from clearminds.model.full_weights import load_trained
from clearminds.model.loading import Loading
from clearminds.run.specs import Specs
from clearminds.stages.take_adapter import Origin, Settings, take

THEIRS = {"adapter": {"path": "/somewhere/theirs"}}
WITH = {"variants/theirs": THEIRS}


def test_what_is_not_trained_here_is_evaluated_beside_the_variants_and_nothing_else_of_it_is_made():
    specs = Specs(demo(WITH))
    rows = [row for row in evaluation_rows(specs.names) if row["variant"] == "theirs"]
    assert rows == [
        {
            "path": f"results/demo/evaluations/{MODEL}/sums/theirs/seed0/small.parquet",
            **{"model": MODEL, "target": "sums", "variant": "theirs", "seed": 0, "suite": "small"},
        }
    ]
    assert not any("theirs" in row["path"] for row in mask_rows(specs.names))
    assert not any("theirs" in path for path in adapter_paths(specs.names))
    place = SimpleNamespace(
        **{**vars(WILDCARDS), "variant": "theirs"}, items=lambda: {"model": MODEL, "variant": "theirs"}.items()
    )
    assert specs.inputs.adapter_of(place) == f"results/demo/given/{MODEL}/theirs/adapter.json"
    assert specs.inputs.adapters()[-1] == specs.inputs.adapter_of(place)
    assert json.loads(spec(demo(WITH), "take_adapter", variant="theirs")) == {
        "source": {"path": "/somewhere/theirs"},
        "trust_remote_code": False,
    }
    for stage in ("build_masks", "train_adapter", "evaluate_adapter", "rehearse"):
        assert spec(demo(WITH), stage) == spec(demo(), stage)
    assert "given" not in Specs(demo()).names and "given" not in spec(demo(), "report")


def test_what_it_was_trained_on_is_scored_and_is_where_it_is_shown():
    second = {"tasks/more": {**DEMO["tasks"]["sums"], "seed": 8}, "targets": ["sums", "more"]}
    second |= {"suites/small": [*DEMO["suites"]["small"], "more"], "match/sources": ["self_output"]}
    second |= {"variants": {"own": {"responses": "self_output"}}}
    beside, alone = (
        Specs(demo({**second, "variants/theirs": {**THEIRS, **trained}})).names
        for trained in ({}, {"trained_on": "more"})
    )
    shown = [[row["target"] for row in evaluation_rows(n) if row["variant"] == "theirs"] for n in (beside, alone)]
    assert shown == [["sums", "more"], ["more"]]
    scored = [{row["source"] for row in score_rows(names) if row["target"] == "more"} for names in (beside, alone)]
    assert scored == [{"self_output"}, {"self_output", "reference"}]


def test_a_study_may_be_of_others_adapters_alone():
    study = study_with({"variants": {"theirs": {**THEIRS, "trained_on": "sums"}}, "match/sources": ["reference"]})
    specs = Specs(Study.model_validate(study))
    assert [row["variant"] for row in evaluation_rows(specs.names)] == ["base", "theirs"]
    assert specs.inputs.adapters() == [f"results/demo/given/{MODEL}/theirs/adapter.json"]
    assert specs.rehearse(WILDCARDS)["trainings"] == []
    assert specs.measure_gradients(WILDCARDS)["sources"] == ["reference"], "what they trained on"


COMMIT = "a" * 40


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"adapter": {"path": "x", "hub": "a/b"}}, "variants: theirs: adapter: give exactly one of path and hub"),
        ({"adapter": {}}, "variants: theirs: adapter: give exactly one of path and hub"),
        ({"adapter": {"hub": "a/b"}}, "variants: theirs: adapter: hub needs revision, a pinned commit, beside it"),
        ({"adapter": {"hub": "a/b", "revision": "main"}}, "variants: theirs: adapter: revision: 'main' is not a full"),
        ({"adapter": {"path": "x", "bsae": "y"}}, "variants: theirs: adapter: bsae: unknown key; did you mean base?"),
        ({"adapter": {"path": "x", "base": "y"}}, f"variants: theirs: adapter: base: 'y' is not one of {MODEL}"),
        ({**THEIRS, "trained_on": "gcd"}, "variants: theirs: trained_on: 'gcd' is not one of sums"),
        ({**THEIRS, "responses": "reference"}, "variants: theirs: responses: unknown key"),
    ],
)
def test_a_wrong_origin_is_refused_as_one_of_variants(refusal, block, message):
    assert refusal(study_with({"variants/theirs": block})).startswith(message)


def test_of_several_models_its_base_is_named(refusal):
    models = {"models/other": {"path": "/other"}}
    assert refusal(study_with({**models, **WITH})) == (
        f"variants: theirs: adapter: base: missing; name the model it was trained from: {MODEL}, other"
    )
    names = Specs(demo({**models, "variants/theirs": {"adapter": {"path": "x", "base": "other"}}})).names
    assert {row["model"] for row in evaluation_rows(names) if row["variant"] == "theirs"} == {"other"}


def test_there_is_one_place_to_say_it_and_one_variant_at_least(refusal):
    assert refusal(study_with({"given": {"theirs": THEIRS}})).startswith("given: unknown key; what somebody else ")
    assert refusal(study_with({"variants": {}})).startswith("variants: there is none; add one")
    assert refusal(study_with({"variants/base": THEIRS})).startswith("variants: base is built in")
    swept = {"responses": "reference", "weights": {"rule": "perplexity", "tau": "2"}, "sweep": {"tau": ["2", "4"]}}
    clash = study_with({"variants/stm": swept, "variants/stm-tau2": THEIRS})
    assert refusal(clash).startswith("variants: stm-tau2: a sweep makes a variant of this name too")


# --- whether it is of its base ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_model_folder(tmp_path_factory.mktemp("tiny") / "llama")


def taken(origin, base, tmp_path, name="owner/base"):
    settings = Settings(Origin(path=str(origin)), False)
    return take(settings, tmp_path / "given" / "theirs", base, name)


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (None, "lora"),
        (LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear", use_dora=True), "lora"),
        (LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"], init_lora_weights="pissa"), "lora"),
        (IA3Config(task_type="CAUSAL_LM", target_modules=["k_proj"], feedforward_modules=[]), "ia3"),
    ],
)
def test_an_adapter_of_any_kind_is_linked_hashed_and_loaded_as_it_is(base, tmp_path, caplog, config, kind):
    origin = tiny_adapter_folder(tmp_path / "origin", base, config)
    (origin / "README.md").write_text("theirs", encoding="utf-8")
    found = taken(origin, base, tmp_path)
    names = ["adapter_config.json", "adapter_model.safetensors"]
    assert found == {
        "kind": kind,
        "files": {name: file_sha256(origin / name) for name in names},
        "trained_for": str(base),
    }
    folder = tmp_path / "given" / "theirs"
    assert sorted(file.name for file in folder.iterdir()) == names and all(f.is_symlink() for f in folder.iterdir())
    assert f"its config names {base} as its base, which is owner/base here: only shapes were compared" in caplog.text
    model = load_trained(base, dtype="float32", loading=Loading(), adapter=folder)
    assert any("ia3" in name or "lora" in name for name, _ in model.named_parameters())


def test_a_whole_model_is_taken_in_the_place_of_its_base(base, tmp_path):
    origin = tiny_model_folder(tmp_path / "origin", seed=3)
    found = taken(origin, base, tmp_path)
    assert found["kind"] == "full" and {"config.json", "model.safetensors"} <= found["files"].keys()
    model = load_trained(base, dtype="float32", loading=Loading(), adapter=tmp_path / "given" / "theirs")
    expected = AutoModelForCausalLM.from_pretrained(origin)
    assert torch.equal(model.lm_head.weight, expected.lm_head.weight)


def edited(name, change):
    def edit(origin):
        file = origin / name
        if file.suffix == ".json":
            file.write_text(json.dumps(change(json.loads(file.read_text(encoding="utf-8")))), encoding="utf-8")
        else:
            save_file(change(load_file(file)), file)

    return edit


WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda origin: shutil.rmtree(origin), "does not exist; give a folder saved by save_pretrained"),
        (lambda origin: (origin / CONFIG).unlink(), "holds neither adapter_config.json nor config.json"),
        (lambda origin: (origin / "config.json").write_text("{}"), "holds both adapter_config.json and config.json"),
        (lambda origin: (origin / WEIGHTS).rename(origin / "adapter_model.bin"), "has no weights as .safetensors"),
        (lambda origin: (origin / WEIGHTS).write_bytes(b"cut"), f"{WEIGHTS}: cut off or damaged, no safetensors file"),
        (lambda origin: (origin / CONFIG).write_text("{"), "it cannot be put on the model llama ("),
        (edited(CONFIG, lambda c: {**c, "target_modules": ["c_attn"]}), "it cannot be put on the model llama ("),
        (edited(CONFIG, lambda c: {**c, "r": 4}), "of another shape ("),
        (edited(WEIGHTS, lambda w: dict(list(w.items())[2:])), "2 missing ("),
        (edited(WEIGHTS, lambda w: {**w, "lm_head.weight": w[min(w)].clone()}), "1 unknown to it (lm_head.weight)"),
    ],
)
def test_what_is_damaged_or_not_of_the_base_is_refused_in_a_line(base, tmp_path, change, message):
    origin = tiny_adapter_folder(tmp_path / "origin", base)
    change(origin)
    with pytest.raises(UserError) as caught:
        taken(origin, base, tmp_path)
    assert str(caught.value).startswith("variants: theirs: adapter: ") and message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("config", [PromptTuningConfig, PrefixTuningConfig, PromptEncoderConfig])
def test_an_adapter_that_learns_virtual_tokens_is_refused(base, tmp_path, config):
    origin = tiny_adapter_folder(tmp_path / "origin", base, config(task_type="CAUSAL_LM", num_virtual_tokens=3))
    with pytest.raises(UserError, match=r"theirs.* adapter learns virtual tokens .*; take one that changes weights"):
        taken(origin, base, tmp_path)


def test_an_adapter_of_a_wider_model_is_refused(base, tmp_path):
    wider = tiny_model_folder(tmp_path / "wider", head_dim=16)
    with pytest.raises(UserError, match=r"its tensors are not those of an adapter of llama: 2 of another shape \("):
        taken(tiny_adapter_folder(tmp_path / "origin", wider), base, tmp_path)


def test_a_model_of_another_form_or_with_other_tokens_is_refused(base, tmp_path):
    wider = tiny_model_folder(tmp_path / "wider", head_dim=16)
    with pytest.raises(UserError, match="its tensors are not those of the model llama: "):
        taken(wider, base, tmp_path)
    other = tiny_model_folder(tmp_path / "other")
    file = other / "tokenizer.json"
    found = json.loads(file.read_text(encoding="utf-8"))
    vocabulary = found["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    file.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(UserError, match=r"its tokenizer is not that of llama: 2 tokens differ \(a, b\)"):
        taken(other, base, tmp_path)

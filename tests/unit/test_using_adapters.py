"""Adapters in others' hands: what their config and model card name, and that the card's lines and the docs' work."""

import ast
import copy
import json
import re
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from huggingface_hub import ModelCard
from peft import AutoPeftModelForCausalLM, PeftModel
from small_training import MADE_OF as MASKS
from small_training import TRAINING, training
from tiny import tiny_model_folder
from transformers import AutoModelForCausalLM, AutoTokenizer

from clearminds.checkout import ROOT
from clearminds.files.tables import write_json
from clearminds.plugins.load import names
from clearminds.stages.training.adapter import add_adapter, trained_parameters
from clearminds.stages.training.base import Base
from clearminds.stages.training.card import card
from clearminds.stages.training.loss_in_words import RULES

MODEL = Path("results/demo/models/smollm2-135m-q4")
ADAPTER = Path("results/demo/adapters/smollm2-135m-q4/sums/stm-2.5/seed0")
COMMIT = "c" * 40
WHEEL = {"pypi": "llm-tiny==0.1", "file": "llm_tiny/tiny.gguf", "sha256": "ab" * 32, "chat_template": {}}
HUB = {"hub": "me/tiny", "revision": COMMIT, "chat_template": {}}
SPEC = {"training": TRAINING, "seed": 3, "loading": {"quantization": "none", "trust_remote_code": False}}
VERSIONS = {"torch": "9.9", "peft": "1.0"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A tiny model."""
    return tiny_model_folder(tmp_path_factory.mktemp("weights") / "tiny")


@pytest.fixture
def run(tmp_path, monkeypatch, weights):
    """The folder of a run, which is the working directory: made with a model of an origin, it has an adapter of it."""
    monkeypatch.chdir(tmp_path)

    def made(source, spec=SPEC, masks=MASKS):
        MODEL.mkdir(parents=True)
        for file in weights.iterdir():
            (MODEL / file.name).symlink_to(file)
        write_json(MODEL / "model.json", {"spec": {"source": source}})
        base = Base.of(MODEL / "model.json")
        network = AutoModelForCausalLM.from_pretrained(MODEL)
        kind = spec["training"]["adapter"]
        network = add_adapter(network, training(adapter=kind), base.name, base.revision)
        torch.manual_seed(1)
        for parameter in trained_parameters(network).values():
            parameter.data += torch.randn_like(parameter) * 0.1
        network.save_pretrained(ADAPTER, save_embedding_layers=False)
        (ADAPTER / "README.md").write_text(card(base, spec, masks, VERSIONS, ADAPTER), encoding="utf-8")
        return ADAPTER

    return made


@pytest.fixture
def cached(tmp_path, monkeypatch, weights):
    """A cache of the hub that has me/tiny at one commit, and no network."""
    snapshot = tmp_path / "hub" / "models--me--tiny" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for file in weights.iterdir():
        (snapshot / file.name).symlink_to(file)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def logits(model):
    with torch.no_grad():
        return model(input_ids=torch.arange(3, 20)[None]).logits.float()


def expected(dtype="float32"):
    base = AutoModelForCausalLM.from_pretrained(MODEL, dtype=dtype)
    return logits(PeftModel.from_pretrained(base, ADAPTER).eval())


def named_by(folder):
    config = json.loads((folder / "adapter_config.json").read_text())
    return config["base_model_name_or_path"], config["revision"]


def blocks(text):
    return re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def execute(code):
    names = {}
    exec(compile(code, "card", "exec"), names)
    return names


# --- what the config names as the base --------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [WHEEL, {"path": "models/mine"}, {"path": "mine"}], ids=["wheel", "path", "name"])
def test_a_base_without_a_name_of_its_own_is_the_folder_of_the_run(run, source):
    folder = run(source)
    name, revision = named_by(folder)
    assert (name, revision) == (str(MODEL), None)
    with pytest.raises(huggingface_hub.errors.HFValidationError):  # it can be nobody's repository
        huggingface_hub.utils.validate_repo_id(name)
    torch.testing.assert_close(logits(AutoPeftModelForCausalLM.from_pretrained(folder).eval()), expected())


def test_an_absolute_path_is_the_base_from_any_folder(run, weights, monkeypatch, tmp_path):
    folder = run({"path": str(weights)}).absolute()
    assert named_by(folder) == (str(weights), None)
    wanted = expected()
    monkeypatch.chdir("/")
    torch.testing.assert_close(logits(AutoPeftModelForCausalLM.from_pretrained(folder).eval()), wanted)


def test_a_repository_of_the_hub_is_the_base_at_its_commit(run, cached):
    folder = run(HUB)
    assert named_by(folder) == ("me/tiny", COMMIT)
    torch.testing.assert_close(logits(AutoPeftModelForCausalLM.from_pretrained(folder).eval()), expected())


# --- the model card ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "base_model"),
    [(WHEEL, None), ({"path": "models/mine"}, None), ({"path": "/models/mine"}, None), (HUB, "me/tiny")],
    ids=["wheel", "path", "absolute", "hub"],
)
def test_the_card_names_a_base_model_only_where_it_is_a_repository_of_the_hub(source, base_model, tmp_path):
    text = card_of(source, tmp_path)
    data = ModelCard(text).data
    metadata = {"library_name": "peft", "pipeline_tag": "text-generation", "tags": ["clearminds", "lora"]}
    assert data.to_dict() == {**metadata, **({"base_model": base_model} if base_model else {})}
    for said in {str(value) for key, value in source.items() if value and key != "chat_template"}:
        assert f"`{said}`" in text


def card_of(source, folder, spec=SPEC, masks=MASKS):
    write_json(folder / "model.json", {"spec": {"source": source}})
    return card(Base.of(folder / "model.json"), spec, masks, VERSIONS, ADAPTER)


@pytest.mark.parametrize(
    ("weights", "draw", "said"),
    [
        ({"rule": "all"}, None, "every token (rule `all`)"),
        ({"rule": "perplexity", "tau": "2.5"}, None, "tokens of perplexity up to 2.5 (rule `perplexity`)"),
        (
            {"rule": "random", "like": {"rule": "perplexity", "tau": "2.5"}},
            3,
            "drawn at random, in each response as many as tokens of perplexity up to 2.5 (rule `random`, seed 3)",
        ),
        (
            {"rule": "band", "tau_low": "1.1", "tau_high": "40"},
            None,
            "tokens of perplexity 1.1 to 40 (rule `band`)",
        ),
    ],
    ids=lambda value: value["rule"] if isinstance(value, dict) else None,
)
def test_the_card_says_how_it_was_trained(tmp_path, weights, draw, said):
    masks = copy.deepcopy(MASKS)
    masks["spec"] |= {"weights": weights} | ({} if draw is None else {"draw": draw})
    text = card_of(WHEEL, tmp_path, masks=masks)
    assert "# sums/stm-2.5/seed0" in text and "on the task `sums`" in text
    lines = dict(re.findall(r"^- ([\w ]+): (.*)$", text, flags=re.MULTILINE))
    assert said in lines["loss"] and "1,500 of 2,000 response tokens" in lines["loss"]
    assert lines["examples"].startswith("149 of the 160 ") and "`reference`, `self_output`" in lines["examples"]
    assert lines["responses"] == "source `reference`, the task's own"
    assert lines["token perplexities"] == "of the base, computed in float32"
    assert lines["adapter"] == "LoRA of rank 2, alpha 4, dropout 0.0, on `all-linear`"
    assert "learning rate 0.005 (cosine, 1 warm-up steps)" in lines["optimiser"]
    assert (lines["epochs"], lines["seed"]) == ("2, 4 examples per step", "3")
    assert lines["made with"] == "peft 1.0, torch 9.9"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "mean over tokens of perplexity up to 2.5"),
        ({"normaliser": "all"}, "sum over tokens of perplexity up to 2.5"),
        ({"normaliser": "all"}, ", divided by the number of response tokens"),
        ({"normaliser": "kept"}, ", divided by the number of tokens with a weight"),
        ({"loss": {"rule": "kl", "beta": 0.25}}, "1,500 of 2,000 response tokens; each plus 0.25 KL(model, base)"),
        ({"loss": {"rule": "eksft", "top": 0.2, "kl": 0.05, "entropy": 0.01}}, "without the 20 % of each response"),
    ],
)
def test_the_card_says_what_the_loss_was(tmp_path, changed, said):
    text = card_of(WHEEL, tmp_path, {**SPEC, "training": {**TRAINING, **changed}})
    assert said in next(line for line in text.splitlines() if line.startswith("- loss: "))


def test_the_card_of_full_weights_is_that_of_a_model_and_its_lines_load_it(run, tmp_path, capsys):
    spec = {**SPEC, "training": {**TRAINING, "adapter": "full"}}
    run(HUB)
    folder = Path("whole/target/variant/seed0")
    model = AutoModelForCausalLM.from_pretrained(MODEL)
    model.save_pretrained(folder)
    text = card(Base.of(MODEL / "model.json"), spec, MASKS, VERSIONS, folder)
    assert text.count("All weights of `me/tiny`") == 1 and "library_name: transformers" in text
    assert "- adapter: none: all weights are trained" in text and "peft" not in blocks(text)[0]
    assert len(blocks(text)) == 1, "there is nothing to merge"
    code = re.sub(r'"me/tiny", revision="c+"', repr(str(MODEL)), blocks(text)[0])
    execute(code)
    assert capsys.readouterr().out.strip()


def test_every_loss_is_said_in_words():
    assert sorted(RULES) == names("losses")


@pytest.mark.parametrize("source", [WHEEL, HUB], ids=["wheel", "hub"])
@pytest.mark.parametrize("kind", ["lora", "dora", "rslora"])
def test_the_lines_of_the_card_work_as_printed(run, cached, capsys, source, kind):
    spec = {**SPEC, "training": {**TRAINING, "adapter": kind}}
    code = "\n".join(blocks((run(source, spec) / "README.md").read_text()))
    names = execute(code)
    assert capsys.readouterr().out.strip()
    wanted = expected()
    merged = AutoModelForCausalLM.from_pretrained("merged")
    torch.testing.assert_close(logits(merged), wanted, rtol=1e-4, atol=1e-4)
    assert AutoTokenizer.from_pretrained("merged").chat_template == names["tokenizer"].chat_template


def test_the_lines_of_the_card_ask_as_the_training_did(tmp_path):
    chat = {"system": 'Be "brief".', "arguments": {"enable_thinking": False}, "file": "own.jinja"}
    loading = {"attn_implementation": "eager", "trust_remote_code": True}
    code = blocks(card_of({**HUB, "chat_template": chat}, tmp_path, {**SPEC, "loading": loading}))[0]
    only_there = f'AutoTokenizer.from_pretrained("{tmp_path}", trust_remote_code=True)'
    assert only_there in code, "only there is the study's own template"
    assert 'attn_implementation="eager", trust_remote_code=True' in code
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(code).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List | ast.Dict)
    }
    assert values["messages"][0] == {"role": "system", "content": 'Be "brief".'}
    assert values["template"]["enable_thinking"] is False and "date_string" not in values["template"]


def test_a_template_that_prints_the_date_gets_that_of_the_training(tmp_path):
    (tmp_path / "chat_template.jinja").write_text("{% if not date_string %}{% endif %}")
    assert '"date_string": "26 Jul 2024"' in card_of(HUB, tmp_path)
    (tmp_path / "chat_template.jinja").write_text("{{ strftime_now('%d %b %Y') }}")
    assert "# the template prints today's date; in training it was 26 Jul 2024\n" in card_of(HUB, tmp_path)


def test_the_card_of_four_bits_loads_them_and_merges_none(tmp_path):
    text = card_of(HUB, tmp_path, {**SPEC, "loading": {"quantization": "4bit"}})
    [code] = blocks(text)
    assert (
        "quantization_config=BitsAndBytesConfig(load_in_4bit=True" in code
        and "AutoTokenizer, BitsAndBytesConfig" in code
    )
    assert ast.parse(code) and "merge_and_unload" not in text


# --- docs/adapters.md -------------------------------------------------------------------------------------------------


def test_the_lines_of_the_docs_work_one_after_the_other(run, capsys):
    run(WHEEL)
    text = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
    load, elsewhere, merge = blocks(text)
    execute(load + elsewhere + merge)
    assert capsys.readouterr().out.strip()
    merged = AutoModelForCausalLM.from_pretrained("merged")
    assert merged.dtype == torch.bfloat16
    exact = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(MODEL), ADAPTER).merge_and_unload()
    for name, value in exact.state_dict().items():
        assert torch.equal(merged.state_dict()[name], value.to(torch.bfloat16)), name
    assert AutoTokenizer.from_pretrained("merged").chat_template


def test_the_card_says_what_the_rule_took_from_the_scores_and_whose_they_were(tmp_path):
    masks = copy.deepcopy(MASKS)
    rule = {"rule": "perplexity", "tau": "auto", "scorer": "other"}
    masks["spec"] |= {"weights": rule}
    masks["masks"] |= {"fitted": {**rule, "tau": "3.7"}}
    text = card_of(WHEEL, tmp_path, masks=masks)
    assert "tokens of perplexity up to 3.7 (as other scores them) (rule `perplexity`)" in text
    assert "- token perplexities: of the base and of the models named there, computed in float32" in text

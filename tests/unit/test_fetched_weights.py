"""A model whose files, weights, architecture or tokenizer do not fit together is refused when it is fetched."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny import ARCHITECTURES, tiny_model_folder, tiny_tokenizer

from clearminds.errors import UserError
from clearminds.files.settings import parse
from clearminds.stages.fetch_model import Origin, fetch

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12345\n"
INDEX = "model.safetensors.index.json"


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    """A tiny Llama as one file and in shards, the latter with and without tied embeddings; read only."""
    import transformers

    single = tiny_model_folder(tmp_path_factory.mktemp("models") / "single")
    found = {"single": single}
    model = transformers.AutoModelForCausalLM.from_pretrained(single)
    for name, tied in (("sharded", False), ("tied", True)):
        found[name] = single.parent / name
        model.config.tie_word_embeddings = tied
        if tied:
            model = transformers.LlamaForCausalLM(model.config)
        model.save_pretrained(found[name], max_shard_size="40KB")
        tiny_tokenizer().save_pretrained(found[name])
    return found


@pytest.fixture
def copy(models, tmp_path) -> Callable[..., Path]:
    """Copies one of them, to be damaged: keys of its config are changed, and its tensors by a function."""

    def copied(name: str = "single", change: Callable[[dict], object] = lambda tensors: None, **config) -> Path:
        folder = tmp_path / "origin"
        folder.mkdir()
        for file in models[name].iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        for file in sorted(folder.glob("*.safetensors")):
            tensors = load_file(file)
            change(tensors)
            save_file(tensors, file, metadata={"format": "pt"})
        edit_json(folder / "config.json", **config)
        return folder

    return copied


def edit_json(file: Path, **keys) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **keys}), encoding="utf-8")


def accepted(origin: Path, **keys) -> dict:
    return fetch(parse(Origin, {"path": str(origin), **keys}, "source"), origin.parent / "m")


def refusal(origin: Path, **keys) -> str:
    """What refuses a model, without what says which."""
    with pytest.raises(UserError) as caught:
        accepted(origin, **keys)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("models: m: ")
    return str(caught.value).removeprefix("models: m: ")


def without(*names: str) -> Callable[[dict], None]:
    """Takes out the tensors whose names hold one of these."""

    def change(tensors: dict) -> None:
        for name in [name for name in tensors if any(part in name for part in names)]:
            del tensors[name]

    return change


def renamed(prefix: str) -> Callable[[dict], None]:
    def change(tensors: dict) -> None:
        for name in list(tensors):
            tensors[prefix + name] = tensors.pop(name)

    return change


# --- what fits --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["single", "sharded", "tied"])
def test_whole_weights_are_accepted(models, name, tmp_path):
    assert fetch(parse(Origin, {"path": str(models[name])}, "source"), tmp_path / "m")["parameters"] > 28000


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name != "llama"])
def test_every_architecture_of_the_tests_is_accepted(architecture, tmp_path):
    accepted(tiny_model_folder(tmp_path / "origin", architecture))


def test_a_tied_head_may_be_absent_or_there(models, copy, tmp_path):
    names = set()
    for file in models["tied"].glob("*.safetensors"):
        with safe_open(file, framework="pt") as tensors:
            names |= set(tensors.keys())
    assert "lm_head.weight" not in names
    accepted(copy("single", without("lm_head"), tie_word_embeddings=True))


def test_a_head_beside_tied_embeddings_is_accepted(copy):
    accepted(copy("single", tie_word_embeddings=True))


def test_buffers_of_former_versions_are_left_alone(copy):
    def change(tensors: dict) -> None:
        tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.zeros(4)

    accepted(copy("single", change))


def test_weights_of_the_body_alone_are_taken_where_the_head_is_tied(copy):
    """transformers finds a body's tensors without their prefix, and so loads them truly."""

    def change(tensors: dict) -> None:
        without("lm_head")(tensors)
        for name in list(tensors):
            tensors[name.removeprefix("model.")] = tensors.pop(name)

    accepted(copy("single", change, tie_word_embeddings=True))


# --- tensors ----------------------------------------------------------------------------------------------------------

FIT = "its tensors do not fit LlamaForCausalLM, as config.json describes it: "
AGAIN = "; save the whole model again with save_pretrained, or download it again"
RANDOM = AGAIN.replace("; ", "; missing ones would be random: ", 1)


@pytest.mark.parametrize("name", ["single", "sharded", "tied"])
def test_a_missing_layer_is_refused(copy, name, caplog):
    tensors = "model.layers.1.input_layernorm.weight, model.layers.1.mlp.down_proj.weight, "
    tensors += "model.layers.1.mlp.gate_proj.weight and 6 more"
    assert refusal(copy(name, without("layers.1."))) == f"{FIT}9 missing ({tensors}){RANDOM}"
    assert "LOAD REPORT" not in caplog.text


def test_a_missing_head_is_refused_unless_it_is_tied(copy):
    assert refusal(copy("single", without("lm_head"))) == f"{FIT}1 missing (lm_head.weight){RANDOM}"


def test_a_missing_embedding_is_refused_though_a_head_is_tied_to_it(copy):
    assert refusal(copy("tied", without("embed_tokens"))).startswith(f"{FIT}2 missing (lm_head.weight, ")


@pytest.mark.parametrize("name", ["single", "sharded", "tied"])
def test_a_prefix_is_refused(copy, name):
    message = refusal(copy(name, renamed("module.")))
    count = 20 if name == "tied" else 21
    assert f"{count} unknown to it (module." in message
    assert " missing (" in message


def test_an_unknown_tensor_is_refused(copy):
    def change(tensors: dict) -> None:
        tensors["score.weight"] = torch.zeros(2, 32)

    assert refusal(copy("single", change)) == f"{FIT}1 unknown to it (score.weight){AGAIN}"


def test_another_shape_is_refused(copy):
    def change(tensors: dict) -> None:
        tensors["model.norm.weight"] = torch.ones(16)

    shapes = "model.norm.weight [16] in place of [32]"
    assert refusal(copy("single", change)) == f"{FIT}1 of another shape ({shapes}){AGAIN}"


def test_more_layers_than_the_config_says_are_refused(copy):
    assert refusal(copy(num_hidden_layers=1)).startswith(f"{FIT}9 unknown to it (model.layers.1.")


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_missing_shard_is_named(copy):
    folder = copy("sharded")
    shards = sorted(folder.glob("model-*.safetensors"))
    shards[1].unlink()
    assert refusal(folder) == (
        f"1 of the {len(shards)} files that {INDEX} names are missing: {shards[1].name}; download the model again"
    )


@pytest.mark.parametrize("index", ["{}", '{"weight_map": []}', '{"weight_map": {"a": 1}}'])
def test_an_index_without_files_is_refused(copy, index):
    folder = copy("sharded")
    (folder / INDEX).write_text(index)
    assert refusal(folder).startswith(f"{INDEX} has no weight_map, from tensors to files; ")


def test_an_index_beside_a_whole_file_is_not_read(copy):
    folder = copy()
    (folder / INDEX).write_text("{}")
    accepted(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_pointer_of_git_lfs_is_named(copy, name):
    folder = copy()
    (folder / name).write_bytes(LFS)
    assert refusal(folder) == f"{name}: a pointer of Git LFS in place of the file; run `git lfs pull` in its checkout"


def test_many_pointers_are_counted(copy):
    folder = copy("sharded")
    shards = sorted(folder.glob("*.safetensors"))
    for file in shards:
        file.write_bytes(LFS)
    names = ", ".join(file.name for file in shards[:3])
    assert refusal(folder).startswith(f"{names} and {len(shards) - 3} more: a pointer of Git LFS")


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:-10],
        lambda whole: whole + b"more",
        lambda whole: whole[:100],
        lambda whole: b"",
        lambda whole: b"\x80\x02}q\x00." * 100,
    ],
    ids=["cut", "longer", "header cut", "empty", "a pickle"],
)
@pytest.mark.parametrize("name", ["single", "sharded"])
def test_damaged_weights_are_named(copy, name, damage):
    folder = copy(name)
    file = sorted(folder.glob("*.safetensors"))[-1]
    file.write_bytes(damage(file.read_bytes()))
    message = refusal(folder)
    assert message.startswith(f"{file.name}: cut off or damaged, no safetensors file (")
    assert message.endswith("; download the model again, or save it again with save_pretrained")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize(("text", "message"), [("{", "is not JSON ("), ("[]", "holds no JSON object; ")])
def test_damaged_json_is_named(copy, name, text, message):
    folder = copy()
    (folder / name).write_text(text)
    assert refusal(folder).startswith(f"{name} {message}")


def test_a_tokenizer_that_makes_its_library_fail_is_refused(copy):
    folder = copy()
    (folder / "tokenizer.json").write_text("{}")
    assert refusal(folder).startswith("its tokenizer cannot be loaded (KeyError: 'added_tokens'); save one beside ")


def test_an_adapter_beside_the_weights_is_refused(copy):
    folder = copy()
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    assert refusal(folder).startswith(
        "adapter_config.json beside its weights makes transformers put that adapter on top of the model; remove it, or "
    )


def test_an_adapter_is_no_model(copy):
    folder = copy()
    (folder / "config.json").rename(folder / "adapter_config.json")
    with pytest.raises(UserError, match=r"origin is an adapter, not a model .*; merge it into its base with PEFT's"):
        accepted(folder)


# --- architecture -----------------------------------------------------------------------------------------------------


def bert(folder: Path, name: str, **keys) -> Path:
    import transformers

    tokenizer = tiny_tokenizer()
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        **keys,
    )
    getattr(transformers, name)(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


ENCODER = "; give one that was trained to continue text, such as LlamaForCausalLM"


def test_an_encoder_is_refused(tmp_path):
    assert refusal(bert(tmp_path / "a", "BertForMaskedLM")) == (
        f"BertForMaskedLM, which config.json names, is no causal language model{ENCODER}"
    )
    assert refusal(bert(tmp_path / "b", "BertLMHeadModel")) == (
        "model_type bert without is_decoder: true is an encoder, whose tokens see those that follow them" + ENCODER
    )
    accepted(bert(tmp_path / "c", "BertLMHeadModel", is_decoder=True))


def test_another_kind_of_model_is_refused(copy):
    folder = copy(model_type="t5", architectures=["T5ForConditionalGeneration"])
    assert refusal(folder) == f"model_type t5 is no causal language model{ENCODER}"
    edit_json(folder / "config.json", model_type="llama", architectures=["LlamaForSequenceClassification"])
    assert refusal(folder).startswith("LlamaForSequenceClassification, which config.json names, is no causal ")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "nope"}, "config.json describes no model that can be loaded (The checkpoint you are trying"),
        ({"hidden_size": "wide"}, "config.json describes no model that can be loaded (Validation error for field "),
        ({"num_attention_heads": 0}, "config.json describes no model that can be loaded (ZeroDivisionError: "),
        ({"hidden_act": "nope"}, "it cannot be made as config.json describes it (KeyError: 'nope'); check its values"),
    ],
)
def test_a_config_that_makes_no_model_is_refused(copy, config, message):
    assert refusal(copy(**config)).startswith(message)


OWN = """
from transformers import LlamaConfig, LlamaForCausalLM
class OwnConfig(LlamaConfig):
    model_type = "own-llama"
class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
"""


def test_python_of_its_own_runs_only_where_it_is_trusted(copy, tmp_path, monkeypatch):
    import transformers

    # the cache of such code is chosen at import
    monkeypatch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    auto_map = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    folder = copy(model_type="own-llama", architectures=["OwnModel"], auto_map=auto_map)
    (folder / "own.py").write_text(OWN)
    message = refusal(folder)
    assert message.startswith("config.json describes no model that can be loaded (")
    assert message.endswith("; it brings Python of its own: set trust_remote_code: true if you trust that")
    trusted = accepted(folder, trust_remote_code=True)["model"]
    (folder / "own.py").write_text(f"{OWN}# edited")
    assert accepted(folder, trust_remote_code=True)["model"] != trusted  # else stores would serve what it computed
    without_a_layer = load_file(folder / "model.safetensors")
    without("layers.1.")(without_a_layer)
    save_file(without_a_layer, folder / "model.safetensors", metadata={"format": "pt"})
    assert refusal(folder, trust_remote_code=True).startswith("its tensors do not fit OwnModel, as config.json ")


def test_python_that_does_not_run_is_no_part_of_a_model(copy):
    folder = copy()
    plain = accepted(folder)["model"]
    (folder / "own.py").write_text(OWN)
    assert accepted(folder)["model"] == plain


# --- tokens -----------------------------------------------------------------------------------------------------------


def smaller(rows: int) -> Callable[[dict], None]:
    def change(tensors: dict) -> None:
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            tensors[name] = tensors[name][:rows].clone()

    return change


def test_a_tokenizer_of_another_model_is_refused(copy):
    message = refusal(copy("single", smaller(290), vocab_size=290))
    assert message.startswith("its embedding has 290 rows, and its tokenizer ids up to 299: tokens without a row: 10 (")
    assert message.endswith("; give it the tokenizer it was trained with, or resize the embedding "
                            "(resize_token_embeddings), train it and save it")  # fmt: skip


@pytest.mark.parametrize("special", [True, False])
@pytest.mark.parametrize("used", [True, False])
def test_tokens_added_without_rows_are_refused_where_they_may_be_met(copy, used, special, caplog):
    import transformers

    folder = copy()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<|new|>"], special_tokens=special)
    if used:
        tokenizer.chat_template += "{% if false %}<|new|>{% endif %}"
    tokenizer.save_pretrained(folder)
    if used or not special:
        message = refusal(folder)
        assert message.startswith(
            "its embedding has 300 rows, and its tokenizer ids up to 300: tokens without a row: 1 (<|new|>); "
        )
    else:
        accepted(folder)
        assert "texts must not hold <|new|>, which are beyond the 300 rows" in caplog.text

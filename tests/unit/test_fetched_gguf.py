"""A GGUF file becomes a model that passes every check, or is refused where it lacks tensors."""

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file
from tiny import tiny_model_folder, tiny_tokenizer

from clearminds.errors import UserError
from clearminds.files.settings import parse
from clearminds.stages.fetch_model import Origin, fetch
from clearminds.stages.fetching.origins import convert_gguf


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return tiny_model_folder(tmp_path_factory.mktemp("models") / "tiny")


def write_gguf(file: Path, model: Path, without: str = "(none)", **more: np.ndarray) -> None:
    """The tiny Llama as a GGUF file, without the tensors whose names hold a text, and with others."""
    tokenizer = tiny_tokenizer()
    tokens = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    merges = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))["model"]["merges"]
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_block_count(2)
    writer.add_context_length(512)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(8)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in tokenizer.all_special_tokens else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_chat_template(tokenizer.chat_template)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 2)
    tensors = {names.get_name(name, (".weight",)): t for name, t in load_file(model / "model.safetensors").items()}
    for name, tensor in {**tensors, **more}.items():
        if without not in name:
            writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def converted(gguf_file: Path, folder: Path) -> Path:
    folder.mkdir()
    convert_gguf(gguf_file, folder)
    return folder


def test_a_converted_model_is_accepted(tiny, tmp_path):
    write_gguf(tmp_path / "tiny.gguf", tiny, **{"rope_freqs.weight": np.ones(4, np.float32)})
    folder = converted(tmp_path / "tiny.gguf", tmp_path / "converted")
    found = fetch(parse(Origin, {"path": str(folder)}, "source"), tmp_path / "m")
    assert found["parameters"] == sum(tensor.size for tensor in load_file(tiny / "model.safetensors").values())


def test_a_tensor_that_the_file_lacks_is_refused_before_it_is_saved(tiny, tmp_path):
    write_gguf(tmp_path / "tiny.gguf", tiny, without="blk.1.")
    with pytest.raises(UserError) as caught:
        converted(tmp_path / "tiny.gguf", tmp_path / "m")
    assert str(caught.value).startswith(
        "models: m: tiny.gguf: its tensors do not fit LlamaForCausalLM, as config.json "
    )
    assert ": 9 missing (model.layers.1.input_layernorm.weight, " in str(caught.value)
    assert not (tmp_path / "m" / "model.safetensors").exists()

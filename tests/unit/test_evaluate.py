"""Evaluating one model on a suite, whatever it is loaded as."""

import pytest
import torch
from tiny import tiny_model_folder, tiny_tokenizer
from transformers import AutoModelForCausalLM
from transformers.utils.quantization_config import QuantizationMethod

from clearminds.files import contracts
from clearminds.files.settings import parse
from clearminds.files.tables import write_table
from clearminds.model.conversation import Chat
from clearminds.stages.evaluate import Runtime, Settings, evaluate_suite

RUNTIME = Runtime(batch_tokens=64, batch_rows=4, vllm_python="", sandbox="rlimits")


@pytest.fixture
def model(tmp_path):
    return AutoModelForCausalLM.from_pretrained(tiny_model_folder(tmp_path / "model"), dtype=torch.float32).eval()


@pytest.fixture
def examples(tmp_path):
    row = {"example_id": "a", "messages": [{"role": "user", "content": "1 + 2"}], "reference": "3", "answer": "3"}
    write_table(tmp_path / "test.parquet", [{**row, "meta": "{}"}], contracts.EXAMPLES, {})
    return {"sums": tmp_path / "test.parquet"}


def settings(quantization: str) -> Settings:
    return parse(
        Settings,
        {
            "tasks": [{"name": "sums", "evaluate": "accuracy", "verifier": "number"}],
            "evaluation": {"dtype": "bfloat16", "max_new_tokens": 4},
            "dtype": "float32",
            "loading": {"quantization": quantization},
        },
        "--spec",
    )


def test_a_model_is_cast_for_generation(model, examples):
    assert evaluate_suite(model, Chat(tiny_tokenizer()), settings("none"), examples, {}, RUNTIME)
    assert model.dtype == torch.bfloat16


def test_four_bit_weights_are_not_cast(model, examples):
    """Transformers refuses it; bitsandbytes itself needs a GPU, so a plain model is marked as its is."""
    model.quantization_method, model.is_loaded_in_4bit = QuantizationMethod.BITS_AND_BYTES, True
    with pytest.raises(ValueError, match="cast a bitsandbytes model"):
        model.to(torch.bfloat16)
    assert evaluate_suite(model, Chat(tiny_tokenizer()), settings("4bit"), examples, {}, RUNTIME)
    assert model.dtype == torch.float32

"""Evaluating one model on a suite, whatever it is loaded as."""

import json
from dataclasses import replace

import pytest
import torch
from tiny import tiny_model_folder, tiny_tokenizer
from transformers import AutoModelForCausalLM
from transformers.utils.quantization_config import QuantizationMethod

from clearminds.files import contracts
from clearminds.files.settings import parse
from clearminds.files.tables import write_table
from clearminds.model.conversation import Chat
from clearminds.stages.evaluate import Runtime, Settings, Task, evaluate_suite

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


def test_every_kind_of_a_suite_in_its_dtype_and_order(model, examples, tmp_path):
    row = {"example_id": "a", "messages": [{"role": "user", "content": "1 + 2"}], "reference": "3", "answer": "3"}
    write_table(
        tmp_path / "choices.parquet",
        [{**row, "meta": json.dumps({"choices": ["3", "4"], "gold": 0})}],
        contracts.EXAMPLES,
        {},
    )
    tasks = [
        {"name": "sums", "evaluate": "accuracy", "verifier": "number"},
        {"name": "asked", "evaluate": "choice", "lead_in": "It is "},
        {"name": "text", "evaluate": "likelihood"},
        {
            "name": "often",
            "evaluate": "accuracy",
            "verifier": "exact",
            "sampling": {"samples": 2, "temperature": 1.0, "top_p": 1.0, "k": [2]},
        },
    ]
    chosen = replace(settings("none"), tasks=[parse(Task, task, "task") for task in tasks])
    files = {"sums": examples["sums"], "text": examples["sums"], "often": examples["sums"]}
    files["asked"] = tmp_path / "choices.parquet"
    rows = evaluate_suite(model, Chat(tiny_tokenizer()), chosen, files, {}, RUNTIME)
    found = list(dict.fromkeys((row["eval_task"], row["metric"]) for row in rows))
    assert found == [
        ("text", "nll"),
        *(("asked", metric) for metric in ("acc", "acc_norm", "margin")),
        ("sums", "accuracy"),
        *(("often", metric) for metric in ("accuracy", "pass@2")),
    ]
    whole = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32).eval()
    alone = replace(chosen, tasks=[task for task in chosen.tasks if task.evaluate == "choice"])
    again = evaluate_suite(whole, Chat(tiny_tokenizer()), alone, files, {}, RUNTIME)
    assert again == [row for row in rows if row["eval_task"] == "asked"], "measured before the cast to bfloat16"
    assert whole.dtype == torch.float32

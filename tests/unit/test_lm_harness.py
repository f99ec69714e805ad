"""Tasks of lm-evaluation-harness on tiny random models: rows, formats, names, and what is not logged."""

import json
import logging

import datasets
import pyarrow as pa
import pytest
from tiny import tiny_model_folder
from transformers import AutoModelForCausalLM, AutoTokenizer

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.model.conversation import Chat
from clearminds.stages.evaluation import lm_harness

SETTINGS = {"batch_size": 4, "system": None, "template_arguments": {}, "max_new_tokens": 8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_model_folder(tmp_path_factory.mktemp("model"))


@pytest.fixture
def model(folder):
    return AutoModelForCausalLM.from_pretrained(folder).eval()


@pytest.fixture
def tokenizer(folder):
    return AutoTokenizer.from_pretrained(folder)


def say(monkeypatch, texts):
    """Let the model say these texts, request by request."""

    def generate_until(self, requests, disable_tqdm=False):
        return texts[: len(requests)]

    monkeypatch.setattr(lm_harness.Model, "generate_until", generate_until)


# what the hub would serve, in the columns that the harness' own YAML files read
ARC = {
    "question": ["Is it 1?", "Is it 2?"],
    "choices": [{"text": ["yes", "no"], "label": ["A", "B"]}] * 2,
    "answerKey": ["A", "B"],
}
GSM = {
    "question": ["1 + 1?", "2 + 2?", "1 + 1?"],
    "answer": ["1 + 1 = 2\n#### 2", "2 + 2 = 4\n#### 4", "1 + 1 = 2\n#### 2"],
}


@pytest.fixture
def hub(monkeypatch):
    def load_dataset(path, name=None, **options):
        if "arc" not in path and "gsm8k" not in path:
            raise ConnectionError(f"no network\nfor {path}")
        table = datasets.Dataset.from_dict(ARC if "arc" in path else GSM)
        return datasets.DatasetDict({"train": table, "validation": table, "test": table})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)


@pytest.mark.slow
def test_built_in_multiple_choice_and_tags(model, tokenizer, hub):
    tasks = [{"name": "lm_eval:arc_easy", "num_fewshot": None}, {"name": "lm_eval:ai2_arc", "num_fewshot": 1}]
    rows = lm_harness.evaluate(model, tokenizer, tasks, **{**SETTINGS, "system": "Be brief."})
    keys = [(row["eval_task"], row["subtask"], row["doc_id"], row["metric"]) for row in rows]
    assert keys[:4] == [("lm_eval:arc_easy", "", doc, metric) for doc in "01" for metric in ("acc", "acc_norm")]
    assert {key[:2] for key in keys[4:]} == {("lm_eval:ai2_arc", "arc_easy"), ("lm_eval:ai2_arc", "arc_challenge")}
    assert {row["format_ok"] for row in rows} == {row["n_tokens"] for row in rows} == {None}
    assert len(json.loads(rows[0]["response"])) == 2
    assert rows[0]["prompt"].startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nQuestion: Is it 1?")
    assert [row["prompt"].count("<|im_start|>assistant") for row in (rows[0], rows[-1])] == [1, 2]
    pa.Table.from_pylist(rows, schema=contracts.EVALUATION.schema)


@pytest.mark.slow
def test_built_in_generation_tells_format_from_score(model, tokenizer, hub, monkeypatch):
    say(monkeypatch, ["#### 2", "it is 4", "none"])
    rows = lm_harness.evaluate(model, tokenizer, [{"name": "lm_eval:gsm8k", "num_fewshot": 0}], **SETTINGS)
    found = {(row["filter"], row["doc_id"]): (row["score"], row["format_ok"]) for row in rows}
    assert [found["strict-match", doc] for doc in "012"] == [(1, True), (0, False), (0, False)]
    assert [found["flexible-extract", doc] for doc in "012"] == [(1, True), (1, True), (0, False)]
    assert len({(row["filter"], row["doc_hash"]) for row in rows}) == len(rows) == 6


@pytest.mark.slow
def test_built_in_names_are_checked(model, tokenizer, hub):
    def run(name):
        lm_harness.evaluate(model, tokenizer, [{"name": name, "num_fewshot": None}], **SETTINGS)

    with pytest.raises(UserError, match=r"lm_eval:arc_esy: .*nearest: arc_easy"):
        run("lm_eval:arc_esy")
    with pytest.raises(UserError, match="lm_eval:humaneval: this task runs generated code"):
        run("lm_eval:humaneval")
    with pytest.raises(UserError, match=r"lm_eval:boolq: .*cannot load it.*no network for"):
        run("lm_eval:boolq")


def test_a_template_without_system_turn_gets_the_description_in_the_users(model, tokenizer):
    tokenizer.chat_template = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}" + tokenizer.chat_template
    )
    lm = lm_harness.Model(model, Chat(tokenizer), 1, 8)
    text = lm.apply_chat_template([{"role": "system", "content": "Do."}, {"role": "user", "content": "1?"}])
    assert text == "<|im_start|>user\nDo.\n\n1?<|im_end|>\n<|im_start|>assistant\n"


def test_a_task_may_have_a_name_of_the_study_s(model, tokenizer, hub):
    named = [{"name": "science", "evaluate": "lm_eval", "harness": "arc_easy"}]
    rows = lm_harness.evaluate(model, tokenizer, named, **SETTINGS)
    plain = lm_harness.evaluate(model, tokenizer, [{"name": "lm_eval:arc_easy"}], **SETTINGS)
    assert rows == [{**row, "eval_task": "science"} for row in plain]


def test_the_output_is_plain_lines(model, tokenizer, hub, capfd, caplog):
    with caplog.at_level(logging.DEBUG, "clearminds"):  # of a loop of seconds
        lm_harness.evaluate(model, tokenizer, [{"name": "lm_eval:gsm8k", "num_fewshot": 0}], **SETTINGS)
    output = capfd.readouterr()
    assert output.out == "" and not set("\r\x1b") & set(output.err) and "it/s" not in output.err
    assert "3 of 3 requests" in caplog.text


def test_a_prompt_that_does_not_fit_is_named(model, tokenizer, hub):
    with pytest.raises(UserError, match="task gsm8k, item 0: a prompt of"):
        lm_harness.evaluate(
            model, tokenizer, [{"name": "lm_eval:gsm8k", "num_fewshot": 0}], **{**SETTINGS, "max_new_tokens": 500}
        )

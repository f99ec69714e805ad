"""Accuracy through lm-evaluation-harness on tiny random models: rows, formats, turns, names, and what is not logged."""

import hashlib
import json
import logging

import datasets
import peft
import pyarrow as pa
import pytest
import torch
from tiny import tiny_model_folder
from transformers import AutoModelForCausalLM, AutoTokenizer

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.tables import write_table
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


def example(number, messages=None, answer="3"):
    messages = messages or [{"role": "user", "content": f"What is {number} + 1?" + " Well?" * number}]
    return {"example_id": f"sums-{number}", "messages": messages, "reference": answer, "answer": answer, "meta": "{}"}


def project_task(tmp_path, rows, name="sums", verifier="number"):
    path = tmp_path / f"{name}.parquet"
    write_table(path, rows, contracts.EXAMPLES, {})
    return {"name": name, "examples": str(path), "verifier": verifier}


def say(monkeypatch, texts, ended=True):
    """Let the model say these texts, request by request."""

    def generate_until(self, requests, disable_tqdm=False):
        for request in requests:
            self.generated[tuple(self.tok_encode(request.args[0]))] = (5, ended)
        return texts[: len(requests)]

    monkeypatch.setattr(lm_harness.Model, "generate_until", generate_until)


def test_two_rows_per_example_that_fit_the_contract(model, tokenizer, tmp_path):
    task = project_task(tmp_path, [example(n) for n in range(5)])
    rows = lm_harness.evaluate(model, tokenizer, [task], **SETTINGS)
    assert [(row["doc_id"], row["filter"]) for row in rows] == [
        (f"sums-{n}", f) for n in range(5) for f in ("lenient", "strict")
    ]
    assert {(row["eval_task"], row["subtask"], row["metric"]) for row in rows} == {("sums", "", "accuracy")}
    assert pa.Table.from_pylist(rows, schema=contracts.EVALUATION.schema).to_pylist() == [
        {name: row[name] for name in contracts.EVALUATION.schema.names} for row in rows
    ]
    assert rows[0]["prompt"] == "<|im_start|>user\nWhat is 0 + 1?<|im_end|>\n<|im_start|>assistant\n"
    assert 1 <= rows[0]["n_tokens"] <= 8


def test_lenient_strict_and_format(model, tokenizer, tmp_path, monkeypatch):
    say(monkeypatch, ["It is 3.", "3 apples", "It is 4", "none"])
    task = project_task(tmp_path, [example(n) for n in range(4)])
    rows = lm_harness.evaluate(model, tokenizer, [task], **SETTINGS)
    assert [(row["score"], row["format_ok"]) for row in rows[::2]] == [(1, True), (1, True), (0, True), (0, False)]
    assert [(row["score"], row["format_ok"]) for row in rows[1::2]] == [(1, True), (0, False), (0, True), (0, False)]
    assert [row["response"] for row in rows[::2]] == ["It is 3.", "3 apples", "It is 4", "none"]


def test_a_response_that_was_cut_has_not_ended_as_asked(model, tokenizer, tmp_path, monkeypatch):
    say(monkeypatch, ["1 + 2 = 3"], ended=False)
    rows = lm_harness.evaluate(model, tokenizer, [project_task(tmp_path, [example(1)])], **SETTINGS)
    assert [(row["filter"], row["score"], row["format_ok"]) for row in rows] == [
        ("lenient", 1, True),
        ("strict", 0, False),
    ]


def test_a_failing_verifier_is_no_crash(model, tokenizer, tmp_path):
    task = project_task(tmp_path, [example(1, answer="not a number")])
    rows = lm_harness.evaluate(model, tokenizer, [task], **SETTINGS)
    assert [row["score"] for row in rows] == [0, 0]


def test_doc_hash_depends_on_question_and_answer_only_and_is_unique(model, tokenizer, tmp_path):
    twice = {**example(1), "example_id": "sums-again"}
    task = project_task(tmp_path, [example(1), twice, example(1, answer="4")])
    hashes = [row["doc_hash"] for row in lm_harness.evaluate(model, tokenizer, [task], **SETTINGS)[::2]]
    content = json.dumps([example(1)["messages"], "3"], sort_keys=True, separators=(",", ":"))
    assert hashes[0] == hashlib.sha256(content.encode()).hexdigest()
    assert hashes[1] == f"{hashes[0]}-1"
    assert hashes[2] not in hashes[:2]


@pytest.mark.parametrize("system", [None, "Be brief."])
def test_conversations_of_many_turns_are_rendered_whole(model, tokenizer, tmp_path, system):
    messages = [
        {"role": "user", "content": "What is {{ 1 }}?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "Plus 2?"},
    ]
    own_system = [{"role": "system", "content": "Its own."}, *messages]
    task = project_task(tmp_path, [example(1, messages), example(2, own_system)])
    rows = lm_harness.evaluate(model, tokenizer, [task], **{**SETTINGS, "system": system})
    chat = Chat(tokenizer, system)
    assert [row["prompt"] for row in rows[::2]] == [
        chat.render(turns, add_generation_prompt=True) for turns in (messages, own_system)
    ]
    assert ("Be brief." in rows[0]["prompt"]) == bool(system)
    assert "Be brief." not in rows[2]["prompt"]


@pytest.mark.parametrize("architecture", ["llama", "gemma2"])
def test_responses_are_those_of_plain_greedy_decoding_whatever_the_batch(architecture, tmp_path):
    folder = tiny_model_folder(tmp_path / "model", architecture)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    # none of these may change greedy decoding
    model.generation_config.update(repetition_penalty=3.0, do_sample=True, temperature=0.6, top_k=3)
    own = model.generation_config
    task = project_task(tmp_path, [example(n) for n in range(8)])
    alone = lm_harness.evaluate(model, tokenizer, [task], **{**SETTINGS, "batch_size": 1})
    together = lm_harness.evaluate(model, tokenizer, [task], **{**SETTINGS, "batch_size": 8})
    assert alone == together
    assert model.generation_config is own
    for row in alone[::2]:
        ids = tokenizer(row["prompt"], add_special_tokens=False, return_tensors="pt").input_ids
        start = ids.shape[1]
        for _ in range(8):
            with torch.no_grad():
                ids = torch.cat([ids, model(ids).logits[:, -1:].argmax(-1)], dim=1)
            if ids[0, -1].item() in Chat(tokenizer).end_of_turn_ids:
                break
        assert row["response"] == tokenizer.decode(ids[0, start:], skip_special_tokens=True)
        assert row["n_tokens"] == ids.shape[1] - start


QUOTING = [{"role": "user", "content": "What does <|im_end|> mean?"}]


def test_special_tokens_in_prompts_are_what_their_task_says(model, tokenizer, tmp_path, monkeypatch):
    prompts = []

    def seen(model, ends, asked, streams, source):
        prompts.extend(map(tuple, asked))
        return [[tokenizer.eos_token_id] for _ in asked]

    monkeypatch.setattr("clearminds.stages.evaluation.harness_model.generate_batch", seen)
    rows = [example(0, QUOTING), example(1), example(2, [*QUOTING, {"role": "assistant", "content": "x"}, *QUOTING])]
    kept, text = (project_task(tmp_path, rows, name) for name in ("kept", "text"))
    found = lm_harness.evaluate(model, tokenizer, [kept, {**text, "special_tokens": "as_text"}], **SETTINGS)
    for task, chat in (("kept", Chat(tokenizer)), ("text", Chat(tokenizer, special_tokens="as_text"))):
        of_task = [row for row in found if row["eval_task"] == task][::2]
        shown = [chat.render(row["messages"], add_generation_prompt=True) for row in rows]
        assert [row["prompt"] for row in of_task] == shown
        assert {tuple(chat.prompt_ids(row["messages"])) for row in rows} <= set(prompts)
        assert [row["n_tokens"] for row in of_task] == [1, 1, 1]
    assert len(prompts) == 6 and len(set(prompts)) == 5  # they differ where a special token is written


def test_a_task_that_refuses_special_tokens_names_its_example(model, tokenizer, tmp_path):
    task = {**project_task(tmp_path, [example(1), example(2, QUOTING)]), "special_tokens": "refuse"}
    with pytest.raises(UserError, match=r"^example sums-2: it holds the special token '<\|im_end\|>'.*as_text"):
        lm_harness.evaluate(model, tokenizer, [task], **SETTINGS)


def test_generation_stops_at_every_end_token(model, tokenizer, tmp_path):
    task = project_task(tmp_path, [example(1)])
    free = lm_harness.evaluate(model, tokenizer, [task], **SETTINGS)[0]
    assert free["n_tokens"] == 8
    ids = tokenizer(free["prompt"], add_special_tokens=False, return_tensors="pt").input_ids
    third = model.generate(ids, max_new_tokens=3, do_sample=False)[0, -1].item()
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, third]
    assert lm_harness.evaluate(model, tokenizer, [task], **SETTINGS)[0]["n_tokens"] <= 3


def test_a_peft_model_answers_with_its_adapter(model, tokenizer, tmp_path):
    task = project_task(tmp_path, [example(n) for n in range(3)])
    base = lm_harness.evaluate(model, tokenizer, [task], **SETTINGS)
    model.generation_config.repetition_penalty = 3.0
    adapted = peft.get_peft_model(model, peft.LoraConfig(target_modules="all-linear", r=4))
    assert [r["response"] for r in lm_harness.evaluate(adapted, tokenizer, [task], **SETTINGS)] == [
        r["response"] for r in base
    ]
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    assert [r["response"] for r in lm_harness.evaluate(adapted, tokenizer, [task], **SETTINGS)] != [
        r["response"] for r in base
    ]


def test_a_prompt_that_does_not_fit_is_named(model, tokenizer, tmp_path):
    task = project_task(tmp_path, [example(1), example(200)])
    with pytest.raises(UserError, match="task sums, item 1: a prompt of"):
        lm_harness.evaluate(model, tokenizer, [task], **SETTINGS)


def test_limit_and_several_tasks(model, tokenizer, tmp_path):
    tasks = [project_task(tmp_path, [example(n) for n in range(3)], name) for name in ("sums", "arc_easy")]
    rows = lm_harness.evaluate(model, tokenizer, tasks, **SETTINGS, limit=2)
    assert [row["eval_task"] for row in rows] == ["sums"] * 4 + ["arc_easy"] * 4


def test_the_output_is_plain_lines(model, tokenizer, tmp_path, capfd, caplog):
    with caplog.at_level(logging.DEBUG, "clearminds"):  # of a loop of seconds
        lm_harness.evaluate(model, tokenizer, [project_task(tmp_path, [example(1)])], **SETTINGS)
    output = capfd.readouterr()
    assert output.out == "" and not set("\r\x1b") & set(output.err) and "it/s" not in output.err
    assert "1 of 1 requests" in caplog.text


def test_unverified_gives_no_accuracy(model, tokenizer, tmp_path):
    with pytest.raises(UserError, match="task sums: verifier 'unverified' gives no accuracy"):
        lm_harness.evaluate(model, tokenizer, [project_task(tmp_path, [example(1)], verifier="unverified")], **SETTINGS)


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


def test_built_in_generation_tells_format_from_score(model, tokenizer, hub, monkeypatch):
    say(monkeypatch, ["#### 2", "it is 4", "none"])
    rows = lm_harness.evaluate(model, tokenizer, [{"name": "lm_eval:gsm8k", "num_fewshot": 0}], **SETTINGS)
    found = {(row["filter"], row["doc_id"]): (row["score"], row["format_ok"]) for row in rows}
    assert [found["strict-match", doc] for doc in "012"] == [(1, True), (0, False), (0, False)]
    assert [found["flexible-extract", doc] for doc in "012"] == [(1, True), (1, True), (0, False)]
    assert len({(row["filter"], row["doc_hash"]) for row in rows}) == len(rows) == 6


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

"""Accuracy on tiny random models: rows, formats, turns, batches as the harness made them, samples and pass@k."""

import hashlib
import itertools
import json
import logging

import peft
import pyarrow as pa
import pytest
import torch
from lm_eval.api.instance import Instance
from tiny import tiny_model_folder
from transformers import AutoModelForCausalLM, AutoTokenizer

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.model.conversation import Chat
from clearminds.plugins.load import load
from clearminds.stages.evaluate import Sampling, Task
from clearminds.stages.evaluation import accuracy, answers, harness_model
from clearminds.stages.metrics import pass_at_k

SETTINGS = {"max_new_tokens": 8, "batch_rows": 4, "isolation": "rlimits"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_model_folder(tmp_path_factory.mktemp("model"))


@pytest.fixture
def model(folder):
    return AutoModelForCausalLM.from_pretrained(folder).eval()


@pytest.fixture
def chat(folder):
    return Chat(AutoTokenizer.from_pretrained(folder))


def example(number, messages=None, answer="3"):
    messages = messages or [{"role": "user", "content": f"What is {number} + 1?" + " Well?" * number}]
    return {"example_id": f"sums-{number}", "messages": messages, "reference": answer, "answer": answer, "meta": "{}"}


def task(name="sums", **keys):
    return Task(name, "accuracy", **{"verifier": "number", **keys})


def run(model, chat, rows, of=None, **changes):
    of = of or task()
    return accuracy.evaluate(model, chat, [of], {of.name: rows}, **{**SETTINGS, **changes})


def say(monkeypatch, texts, ended=True):
    """Let the model say these texts, question by question."""
    monkeypatch.setattr(accuracy, "answer_all", lambda *a, **k: [[answers.Answer(text, 5, ended)] for text in texts])


def test_two_rows_per_example_that_fit_the_contract(model, chat):
    rows = run(model, chat, [example(n) for n in range(5)])
    assert [(row["doc_id"], row["filter"]) for row in rows] == [
        (f"sums-{n}", f) for n in range(5) for f in ("lenient", "strict")
    ]
    assert {(row["eval_task"], row["subtask"], row["metric"]) for row in rows} == {("sums", "", "accuracy")}
    assert pa.Table.from_pylist(rows, schema=contracts.EVALUATION.schema).to_pylist() == [
        {name: row[name] for name in contracts.EVALUATION.schema.names} for row in rows
    ]
    assert rows[0]["prompt"] == "<|im_start|>user\nWhat is 0 + 1?<|im_end|>\n<|im_start|>assistant\n"
    assert 1 <= rows[0]["n_tokens"] <= 8


def test_lenient_strict_and_format(model, chat, monkeypatch):
    say(monkeypatch, ["It is 3.", "3 apples", "It is 4", "none"])
    rows = run(model, chat, [example(n) for n in range(4)])
    assert [(row["score"], row["format_ok"]) for row in rows[::2]] == [(1, True), (1, True), (0, True), (0, False)]
    assert [(row["score"], row["format_ok"]) for row in rows[1::2]] == [(1, True), (0, False), (0, True), (0, False)]
    assert [row["response"] for row in rows[::2]] == ["It is 3.", "3 apples", "It is 4", "none"]


def test_a_response_that_was_cut_has_not_ended_as_asked(model, chat, monkeypatch):
    say(monkeypatch, ["1 + 2 = 3"], ended=False)
    rows = run(model, chat, [example(1)])
    assert [(r["filter"], r["score"], r["format_ok"]) for r in rows] == [("lenient", 1, True), ("strict", 0, False)]


def test_a_failing_verifier_is_no_crash(model, chat):
    assert [row["score"] for row in run(model, chat, [example(1, answer="not a number")])] == [0, 0]


def test_doc_hash_depends_on_question_and_answer_only_and_is_unique(model, chat):
    twice = {**example(1), "example_id": "sums-again"}
    hashes = [row["doc_hash"] for row in run(model, chat, [example(1), twice, example(1, answer="4")])[::2]]
    content = json.dumps([example(1)["messages"], "3"], sort_keys=True, separators=(",", ":"))
    assert hashes[0] == hashlib.sha256(content.encode()).hexdigest()
    assert hashes[1] == f"{hashes[0]}-1"
    assert hashes[2] not in hashes[:2]


@pytest.mark.parametrize("system", [None, "Be brief."])
def test_conversations_of_many_turns_are_rendered_whole(model, chat, system):
    messages = [
        {"role": "user", "content": "What is {{ 1 }}?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "Plus 2?"},
    ]
    own_system = [{"role": "system", "content": "Its own."}, *messages]
    chat = Chat(chat.tokenizer, system)
    rows = run(model, chat, [example(1, messages), example(2, own_system)])
    assert [row["prompt"] for row in rows[::2]] == [
        chat.render(turns, add_generation_prompt=True) for turns in (messages, own_system)
    ]
    assert ("Be brief." in rows[0]["prompt"]) == bool(system)
    assert "Be brief." not in rows[2]["prompt"]


@pytest.mark.parametrize("architecture", ["llama", "gemma2"])
def test_responses_are_those_of_plain_greedy_decoding_whatever_the_batch(architecture, tmp_path):
    folder = tiny_model_folder(tmp_path / "model", architecture)
    chat = Chat(AutoTokenizer.from_pretrained(folder))
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    # none of these may change greedy decoding
    model.generation_config.update(repetition_penalty=3.0, do_sample=True, temperature=0.6, top_k=3)
    own = model.generation_config
    rows = [example(n) for n in range(8)]
    alone, together = run(model, chat, rows, batch_rows=1), run(model, chat, rows, batch_rows=8)
    assert alone == together
    assert model.generation_config is own
    for row in alone[::2]:
        ids = chat.tokenizer(row["prompt"], add_special_tokens=False, return_tensors="pt").input_ids
        start = ids.shape[1]
        for _ in range(8):
            with torch.no_grad():
                ids = torch.cat([ids, model(ids).logits[:, -1:].argmax(-1)], dim=1)
            if ids[0, -1].item() in chat.end_of_turn_ids:
                break
        assert row["response"] == chat.tokenizer.decode(ids[0, start:], skip_special_tokens=True)
        assert row["n_tokens"] == ids.shape[1] - start


@pytest.mark.parametrize("asked", [range(4), (0, 1, 2, 0)])
def test_the_head_of_a_frozen_model_is_not_copied_for_each_row(model, chat, asked):
    """Below an adapter, weights are frozen: torch then multiplies a slice of hidden states row by row."""
    model.requires_grad_(False)
    given = []
    hook = model.get_output_embeddings().register_forward_hook(lambda head, inputs, logits: given.append(inputs[0]))
    try:
        run(model, chat, [example(n) for n in asked])
    finally:
        hook.remove()
    assert any(hidden.shape[0] > 1 for hidden in given) and all(hidden.is_contiguous() for hidden in given)


def test_batches_and_answers_are_those_of_the_harness(model, chat, monkeypatch):
    """Through which these answers came once: in 16 bits a row's neighbours move its last bits, and so its tokens."""
    model = model.to(torch.bfloat16)
    batches = {"harness": [], "here": []}
    for module, name in ((harness_model, "harness"), (answers, "here")):
        real = module.generate_batch

        def noting(*given, real=real, name=name):
            batches[name].append(given[2])
            return real(*given)

        monkeypatch.setattr(module, "generate_batch", noting)
    rows = [example(n % 7, answer=str(n)) for n in range(30)]
    rows += [example(0, [{"role": "user", "content": text}]) for text in ("b", "a", "the answer is a number")]
    rows = [{**row, "example_id": str(n)} for n, row in enumerate(rows)]
    found = accuracy.evaluate(model, chat, [task("one"), task("two")], {"one": rows[:11], "two": rows[11:]}, **SETTINGS)
    lm = harness_model.Model(model, chat, 4, 8)
    prompts = [lm.apply_chat_template(row["messages"]) for row in rows]
    asked = [
        Instance(request_type="generate_until", doc={}, arguments=(p, {"until": []}), idx=0, metadata=("t", n, 1))
        for n, p in enumerate(prompts)
    ]
    assert lm.generate_until(asked) == [row["response"] for row in found[::2]]
    assert batches["here"] == batches["harness"] and len(batches["here"]) == 9


QUOTING = [{"role": "user", "content": "What does <|im_end|> mean?"}]


def test_special_tokens_in_prompts_are_what_their_task_says(model, chat, monkeypatch):
    prompts = []

    def seen(model, ends, asked, streams, source):
        prompts.extend(map(tuple, asked))
        return [[chat.tokenizer.eos_token_id] for _ in asked]

    monkeypatch.setattr(answers, "generate_batch", seen)
    rows = [example(0, QUOTING), example(1), example(2, [*QUOTING, {"role": "assistant", "content": "x"}, *QUOTING])]
    tasks = [task("kept"), task("text", special_tokens="as_text")]
    found = accuracy.evaluate(model, chat, tasks, {"kept": rows, "text": rows}, **SETTINGS)
    for name, of in (("kept", chat), ("text", Chat(chat.tokenizer, special_tokens="as_text"))):
        of_task = [row for row in found if row["eval_task"] == name][::2]
        assert [row["prompt"] for row in of_task] == [
            of.render(row["messages"], add_generation_prompt=True) for row in rows
        ]
        assert {tuple(of.prompt_ids(row["messages"])) for row in rows} <= set(prompts)
        assert [row["n_tokens"] for row in of_task] == [1, 1, 1]
    assert len(prompts) == 6 and len(set(prompts)) == 5  # they differ where a special token is written


def test_a_task_that_refuses_special_tokens_names_its_example(model, chat):
    refused = r"^task sums, example sums-2: it holds the special token '<\|im_end\|>'.*as_text"
    with pytest.raises(UserError, match=refused):
        run(model, chat, [example(1), example(2, QUOTING)], task(special_tokens="refuse"))


def test_generation_stops_at_every_end_token(model, chat):
    free = run(model, chat, [example(1)])[0]
    assert free["n_tokens"] == 8
    ids = chat.tokenizer(free["prompt"], add_special_tokens=False, return_tensors="pt").input_ids
    third = model.generate(ids, max_new_tokens=3, do_sample=False)[0, -1].item()
    model.generation_config.eos_token_id = [chat.tokenizer.eos_token_id, third]
    stopped = run(model, chat, [example(1)])[0]
    assert stopped["n_tokens"] <= 3 and free["response"].startswith(stopped["response"])


def test_a_peft_model_answers_with_its_adapter(model, chat):
    rows = [example(n) for n in range(3)]
    base = [row["response"] for row in run(model, chat, rows)]
    model.generation_config.repetition_penalty = 3.0
    adapted = peft.get_peft_model(model, peft.LoraConfig(target_modules="all-linear", r=4))
    assert [row["response"] for row in run(adapted, chat, rows)] == base
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    assert [row["response"] for row in run(adapted, chat, rows)] != base


def test_a_prompt_that_does_not_fit_is_named(model, chat):
    with pytest.raises(UserError, match="task sums, example sums-200: a prompt of"):
        run(model, chat, [example(1), example(200)])


def test_unverified_gives_no_accuracy(model, chat):
    with pytest.raises(UserError, match="task sums: verifier 'unverified' gives no accuracy"):
        run(model, chat, [example(1)], task(verifier="unverified"))


def test_progress_is_told_in_plain_lines(model, chat, capfd, caplog):
    with caplog.at_level(logging.DEBUG, "clearminds"):  # of a loop of seconds
        run(model, chat, [example(1)])
    output = capfd.readouterr()
    assert output.out == "" and not set("\r\x1b") & set(output.err)
    assert "1 of 1 answers" in caplog.text


# --- several samples --------------------------------------------------------------------------------------------------

FOUR = Sampling(samples=4, temperature=1.0, top_p=0.95, k=(1, 2, 4))


def test_a_sample_depends_on_its_prompt_and_number_only(model, chat):
    def sampled(rows, sampling, batch_rows):
        questions = [accuracy._question(chat, task(sampling=sampling), row) for row in rows]
        return answers.answer_all(model, chat, questions, max_new_tokens=8, batch_rows=batch_rows)

    rows = [example(n) for n in range(3)]
    found = sampled(rows, FOUR, 5)
    assert [len(of) for of in found] == [4, 4, 4]
    assert len({one.text for one in found[0]}) > 1, "samples differ"
    assert sampled(rows[1:2], FOUR, 1) == found[1:2]
    more = sampled(rows, Sampling(samples=6, temperature=1.0, top_p=0.95, k=(1,)), 48)
    assert [of[:4] for of in more] == found


def test_samples_leave_greedy_answers_as_they_are(model, chat):
    rows = [example(n) for n in range(5)]
    of = {"greedy": rows, "sampled": rows}
    together = accuracy.evaluate(model, chat, [task("sampled", sampling=FOUR), task("greedy")], of, **SETTINGS)
    assert [row for row in together if row["eval_task"] == "greedy"] == run(model, chat, rows, task("greedy"))


def test_rows_of_several_samples(model, chat, monkeypatch):
    said = ["It is 3.", "3 apples", "none", "4"]
    monkeypatch.setattr(
        accuracy, "answer_all", lambda *a, **k: [[answers.Answer(text, 2 + n, True) for n, text in enumerate(said)]]
    )
    rows = run(model, chat, [example(1)], task(sampling=FOUR))
    found = {(row["metric"], row["filter"]): row for row in rows}
    assert len(found) == len(rows) == 8
    lenient = [found[metric, "lenient"]["score"] for metric in ("accuracy", "pass@1", "pass@2", "pass@4")]
    assert lenient == pytest.approx([1 / 2, 1 / 2, 5 / 6, 1])
    strict = [found[metric, "strict"]["score"] for metric in ("accuracy", "pass@1", "pass@2", "pass@4")]
    assert strict == pytest.approx([1 / 4, 1 / 4, 1 / 2, 1])
    assert {row["n_tokens"] for row in rows} == {2 + 3 + 4 + 5} and {row["response"] for row in rows} == {"It is 3."}
    assert found["pass@1", "strict"]["format_ok"] is None and found["accuracy", "strict"]["format_ok"] is True
    assert len({row["doc_hash"] for row in rows}) == 1


@pytest.mark.parametrize(("samples", "right"), [(n, c) for n in (1, 4, 6) for c in range(n + 1)])
def test_pass_at_k_is_the_share_of_subsets_with_a_right_one(samples, right):
    for k in range(1, samples + 1):
        subsets = list(itertools.combinations([n < right for n in range(samples)], k))
        assert pass_at_k(samples, right, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_every_verifier_judges_all_answers_of_its_tasks_at_once(model, chat, monkeypatch):
    calls = []

    def judge_all(verifier, asked, isolation):
        calls.append((verifier, [(response, of["example_id"], strict) for response, of, strict in asked], isolation))
        return [("correct", "")] * len(asked)

    monkeypatch.setattr(accuracy, "judge_all", judge_all)
    say(monkeypatch, ["1", "2", "3"])
    tasks = [task("a"), task("b", verifier="exact"), task("c")]
    rows = accuracy.evaluate(model, chat, tasks, {name: [example(n)] for n, name in enumerate("abc")}, **SETTINGS)
    assert [(module.__name__, len(asked)) for module, asked, _ in calls] == [
        (load("verifiers", "number").__name__, 4),
        (load("verifiers", "exact").__name__, 2),
    ]
    assert calls[0][1][2:] == [("3", "sums-2", False), ("3", "sums-2", True)] and calls[0][2] == "rlimits"
    assert {row["score"] for row in rows} == {1}


def test_programs_pass_their_tests_and_format_is_told_from_ability(model, chat, monkeypatch):
    right, wrong = "def f(x):\n    return x + 1", "def f(x):\n    return x"
    say(monkeypatch, [f"```python\n{right}\n```", right, f"```python\n{wrong}\n```", "I do not know."])
    meta = json.dumps({"tests": "assert f(1) == 2", "setup": ""})
    rows = run(model, chat, [{**example(n), "meta": meta} for n in range(4)], task(verifier="programs"))
    read = {
        reading: [(row["score"], row["format_ok"]) for row in rows if row["filter"] == reading]
        for reading in ("lenient", "strict")
    }
    assert read["lenient"] == [(1, True), (1, True), (0, True), (0, False)]
    assert read["strict"] == [(1, True), (0, False), (0, True), (0, False)]


def test_letters_and_marked_numbers_tell_format_from_ability(model, chat, monkeypatch):
    meta = json.dumps({"choices": ["red", "blue"], "labels": ["A", "B"], "gold": 1})
    say(monkeypatch, ["Answer: B", "Answer: A", "I cannot tell."])
    rows = run(model, chat, [{**example(n), "answer": "B", "meta": meta} for n in range(3)], task(verifier="letter"))
    assert [(row["score"], row["format_ok"]) for row in rows[1::2]] == [(1, True), (0, True), (0, False)]
    say(monkeypatch, ["1 + 2 is 3.\n#### 3", "It is 3", "#### 4"])
    rows = run(model, chat, [example(n) for n in range(3)], task(verifier="marked_number"))
    assert [(row["score"], row["format_ok"]) for row in rows[::2]] == [(1, True), (1, True), (0, True)]
    assert [(row["score"], row["format_ok"]) for row in rows[1::2]] == [(1, True), (0, False), (0, True)]


def test_another_backend_generates_once_the_model_is_unloaded(model, chat):
    seen = []

    def sampler(ends, prompts, seeds, source):
        assert next(model.parameters()).device.type == "meta"
        seen.append((len(prompts), len(set(seeds)), source))
        return [[5, chat.tokenizer.eos_token_id] for _ in prompts]

    rows = [example(n) for n in range(3)]
    tasks = [task("greedy"), task("often", sampling=FOUR)]
    found = accuracy.evaluate(model, chat, tasks, {"greedy": rows, "often": rows}, **SETTINGS, sampler=sampler)
    greedy = {"temperature": 0, "max_new_tokens": 8}
    drawn = {"temperature": 1.0, "top_p": 0.95, "max_new_tokens": 8}
    assert seen == [(3, 1, greedy), *[(4, 4, drawn)] * 3]
    assert {row["n_tokens"] for row in found} == {2, 8}

"""Multiple choice by log-likelihood: equal to the harness, and to one row per choice, whatever the batch and cache."""

import json
import math
import random
from pathlib import Path

import datasets
import lm_eval
import pyarrow.parquet as pq
import pytest
import torch
from lm_eval.api.task import ConfigurableTask
from tiny import ARCHITECTURES, tiny_model_folder
from transformers import AutoModelForCausalLM, AutoTokenizer

from clearminds.errors import UserError
from clearminds.model import continuations
from clearminds.model.choice_tokens import encode_choices
from clearminds.model.continuations import log_likelihoods
from clearminds.model.conversation import Chat
from clearminds.plugins.choices import Choices, choices_of
from clearminds.stages.evaluation import choice, lm_harness

ROOT = Path(__file__).parents[2]
ARC = ROOT.parent / "shared" / "data" / "arc_challenge-test.parquet"


def loaded(folder, architecture="llama"):
    tiny_model_folder(folder, architecture)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return model, Chat(AutoTokenizer.from_pretrained(folder))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return loaded(tmp_path_factory.mktemp("model"))


def example(name, prompt, choices, gold, labels=None):
    meta = {"choices": choices, "gold": gold} | ({"labels": labels} if labels else {})
    messages = [{"role": "user", "content": prompt}]
    return {"example_id": name, "messages": messages, "reference": "", "answer": "", "meta": json.dumps(meta)}


QUESTIONS = [
    example("a", "What is 1 + 2?", ["3", "four", "a number, then 5"], 0, ["A", "B", "C"]),
    example("b", "the answer is", ["12", "34"], 1),
    example("c", "What is a question and another number, then an answer?", [" the ", "n", "assistant", "12 + 34"], 3),
]


def in_harness(model, chat, examples, lead_in, limit=None):
    """The harness' own log-likelihoods, acc and acc_norm of the same prompts."""
    rows = [
        {"question": e["messages"][0]["content"], **{k: json.loads(e["meta"])[k] for k in ("choices", "gold")}}
        for e in examples
    ]
    config = {
        "task": "choices",
        "custom_dataset": lambda **_: {"test": datasets.Dataset.from_list(rows)},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": "choices",
        "doc_to_target": "gold",
        "num_fewshot": 0,
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
        **({"gen_prefix": lead_in} if lead_in else {}),
    }
    lm = lm_harness.Model(model, chat, 4, 8)
    task = ConfigurableTask(config=config)
    found = lm_eval.evaluate(
        lm=lm,
        task_dict={"choices": task},
        bootstrap_iters=0,
        apply_chat_template=True,
        fewshot_as_multiturn=True,
        log_samples=True,
    )["samples"]["choices"]
    return [([one[0][0] for one in s["resps"]], s["acc"], s["acc_norm"], s["arguments"]) for s in found]


def compare(model, chat, examples, lead_in, batch_tokens=512):
    items = [choice.encoded(chat, "t", one, lead_in, 10**6) for one in examples]
    likelihoods = log_likelihoods(model, [(t.prompt, t.choices) for _, t in items], batch_tokens)
    rows = choice.evaluate(model, chat, "t", examples, lead_in, batch_tokens)
    expected = in_harness(model, chat, examples, lead_in)
    assert len(rows) == 3 * len(examples)
    for n, (values, acc, acc_norm, _) in enumerate(expected):
        assert likelihoods[n] == pytest.approx(values, abs=1e-3)
        of_item = {row["metric"]: row for row in rows[3 * n : 3 * n + 3]}
        gold = json.loads(examples[n]["meta"])["gold"]
        others = [value for place, value in enumerate(values) if place != gold]
        assert of_item["margin"]["score"] == pytest.approx(values[gold] - max(others), abs=2e-3)
        assert (of_item["acc"]["score"], of_item["acc_norm"]["score"]) == (acc, acc_norm)
    return rows


@pytest.mark.parametrize("lead_in", ["", "The answer is", "The answer is ", "So:\n"])
def test_equal_to_the_harness(tiny, lead_in):
    rows = compare(*tiny, QUESTIONS, lead_in)
    assert rows[0]["target"] == "A" and rows[0]["response"] in "ABC" and rows[3]["target"] == "34"
    end = "<|im_start|>assistant\n"
    assert rows[0]["prompt"].endswith(end + (lead_in if lead_in[-1:].isspace() or not lead_in else lead_in + " "))
    assert {row["filter"] for row in rows} == {"none"} and {row["format_ok"] for row in rows} == {None}


def arc(n):
    if not ARC.is_file():
        pytest.skip(f"needs {ARC}")
    rows = pq.read_table(ARC).slice(0, n).to_pylist()
    return [
        example(r["id"], r["question"], r["choices"]["text"], r["choices"]["label"].index(r["answerKey"])) for r in rows
    ]


def test_equal_to_the_harness_on_rows_of_arc(tmp_path):
    model, chat = loaded(tmp_path / "model")
    compare(model, chat, [e for e in arc(60) if len(e["messages"][0]["content"]) < 200], "", 2048)


@pytest.mark.slow
def test_equal_to_the_harness_on_the_embedded_model():
    folder = next(ROOT.glob("results/*/models/smollm2-135m-q4"), None)
    if folder is None:
        pytest.skip("needs the embedded model; run `make demo-quick`")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    compare(model, Chat.from_folder(folder), arc(12), "", 1024)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("batch_tokens", [1, 200, 5000])
@pytest.mark.parametrize("begin", [0, 10, 30])
def test_shared_prompts_give_what_a_row_per_choice_gives(tmp_path, architecture, batch_tokens, begin):
    model, _ = loaded(tmp_path / "model", architecture)
    draw = random.Random(0)

    def ids(length):
        return [draw.randrange(3, 300) for _ in range(length)]

    # prompts and choices on both sides of the sliding window of 16
    lengths = [(p, ends) for p in (1, 3, 15, 16, 17, 40) for ends in ([1, 1], [2, 1, 20], [9, 17])]
    same = ids(begin)
    items = [(same + ids(p), [ids(c) for c in ends]) for p, ends in lengths]
    found = log_likelihoods(model, items, batch_tokens)
    for (prompt, ends), values in zip(items, found, strict=True):
        for end, value in zip(ends, values, strict=True):
            with torch.inference_mode():
                logprobs = model(torch.tensor([prompt + end])).logits[0].double().log_softmax(-1)
            expected = sum(float(logprobs[len(prompt) - 1 + n, token]) for n, token in enumerate(end))
            assert value == pytest.approx(expected, abs=1e-4 * len(end))
    shared = continuations._way(model, items)
    assert shared, "the cache is of use for every architecture here"
    # padding within a row would push what is seen out of a window
    assert shared.common == (0 if architecture in ("mistral", "gemma2") else begin)


def test_a_model_without_a_cache_that_can_be_shared_runs_each_choice_alone(tiny, monkeypatch):
    model, _ = tiny
    items = [([5, 6, 7], [[8, 9], [10]]), ([11], [[12, 13, 14]])]
    shared = log_likelihoods(model, items, 64)

    def refuse(*arguments):
        raise AttributeError("no batch_select_indices")

    monkeypatch.setattr(continuations._Shared, "of", refuse)
    for one, other in zip(shared, log_likelihoods(model, items, 64), strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_a_cache_that_gives_other_numbers_is_not_used(tiny, monkeypatch):
    model, _ = tiny
    items = [([5, 6, 7], [[8, 9], [10]])]
    right, wrong = log_likelihoods(model, items, 64), continuations._Shared.of
    monkeypatch.setattr(continuations._Shared, "of", lambda *a: [[v - 1 for v in row] for row in wrong(*a)])
    assert log_likelihoods(model, items, 64)[0] == pytest.approx(right[0], abs=1e-4)


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({}, "it has no choices; name them in the task's template"),
        ({"choices": ["a"], "gold": 0}, "it has 1 choice; two or more are needed"),
        ({"choices": ["a", " "], "gold": 0}, "choice 1 is empty"),
        ({"choices": ["a", "b"], "labels": ["A"], "gold": 0}, "2 choices and 1 labels"),
        ({"choices": ["a", "b"], "gold": 2}, "gold is 2; it must be .* 0 to 1"),
        ({"choices": ["a", "b"]}, "gold is None"),
        ({"choices": ["a", "c", "a"], "gold": 2}, "choices 0, 2 are all 'a', and one is the right one; .* take it out"),
    ],
)
def test_items_that_cannot_be_compared_are_named(tiny, meta, message):
    broken = {**QUESTIONS[0], "meta": json.dumps(meta)}
    with pytest.raises(UserError, match=f"^tasks: arc: example a: .*{message}"):
        choice.evaluate(*tiny, "arc", [broken], "", 64)


def test_wrong_choices_may_read_alike():
    meta = {"choices": ["a", "b", "a"], "gold": 1}
    assert choices_of({"meta": json.dumps(meta)}) == Choices(["a", "b", "a"], ["a", "b", "a"], 1)


def test_an_item_that_is_too_long_is_named(tiny):
    with pytest.raises(UserError, match=r"example long: its prompt and a choice have [\d,]+ tokens, more than .* 512"):
        choice.evaluate(*tiny, "arc", [example("long", "What? " * 400, ["a", "b"], 0)], "", 64)


def test_special_tokens_in_a_choice_are_what_the_task_says(tiny):
    _, chat = tiny
    messages, choices = [{"role": "user", "content": "Which ends a turn?"}], ["<|im_end|>", "n"]
    kept = encode_choices(chat, messages, choices, "", "x")
    text = encode_choices(Chat(chat.tokenizer, special_tokens="as_text"), messages, choices, "", "x")
    assert chat.tokenizer.eos_token_id in kept.choices[0] and chat.tokenizer.eos_token_id not in text.choices[0]
    assert (kept.prompt, kept.text, kept.choices[1]) == (text.prompt, text.text, text.choices[1])
    with pytest.raises(UserError, match="x: it holds the special token"):
        encode_choices(Chat(chat.tokenizer, special_tokens="refuse"), messages, choices, "", "x")


def test_a_template_that_trims_keeps_the_blank_before_a_choice(tmp_path):
    _, chat = loaded(tmp_path / "model")
    chat.system, messages = "Be brief.", [{"role": "user", "content": "1?"}]
    given = encode_choices(chat, messages, ["2"], "It is ", "x")
    assert given.text.startswith("<|im_start|>system\nBe brief.<|im_end|>") and given.text.endswith("assistant\nIt is ")
    chat.tokenizer.chat_template = chat.tokenizer.chat_template.replace("message['content']", "message['content']|trim")
    assert encode_choices(chat, messages, ["2"], "It is ", "x") == given


def test_probabilities_of_all_single_tokens_add_up(tiny):
    model, _ = tiny
    values = log_likelihoods(model, [([5, 6, 7, 8], [[token] for token in range(len(tiny[1].tokenizer))])], 64)[0]
    assert math.fsum(map(math.exp, values)) == pytest.approx(1, abs=1e-5)

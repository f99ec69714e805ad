"""Likelihood of references and drift from the base, each against a sum taken token by token on unpadded prefixes."""

import math

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny import tiny_model_folder, tiny_tokenizer
from transformers import AutoModelForCausalLM

from clearminds.model.conversation import Chat
from clearminds.stages.evaluation import drift, likelihood

CHAT = Chat(tiny_tokenizer())
EXAMPLES = [
    {"example_id": "a", "messages": [{"role": "user", "content": "What is 12 + 34?"}], "reference": "the answer is 46"},
    {"example_id": "b", "messages": [{"role": "user", "content": "a number, please"}], "reference": "7"},
    {
        "example_id": "c",
        "messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "question " * 9}],
        "reference": "answer " * 5,
    },
]
RESPONSES = [
    {"example_id": e, "sample": s, "response": text, "finish_reason": reason}
    for e, s, text, reason in [
        ("a", 0, "the answer is 46", "stop"),
        ("a", 1, "a number, then another", "length"),
        ("b", 0, "seven", "stop"),
        ("c", 0, "  \n", "stop"),  # nothing was answered
        ("c", 1, "answer " * 5, "stop"),
    ]
]


@pytest.fixture(params=["llama", "gemma2"])
def base(request, tmp_path):
    folder = tiny_model_folder(tmp_path / request.param, request.param)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def adapted(base, zero=False):
    torch.manual_seed(1)
    # PEFT starts with B = 0, the identity, unless told otherwise
    config = LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=2, target_modules="all-linear", init_lora_weights=zero)
    return get_peft_model(base, config).eval()


@torch.inference_mode()
def logprobs(model, ids, start, end):
    """[end - start, vocabulary]: the next-token distributions for tokens start to end, each from its prefix alone."""
    rows = [model(input_ids=torch.tensor([ids[:n]])).logits[0, -1].float().log_softmax(-1) for n in range(start, end)]
    return torch.stack(rows)


def text_end(example, response):
    encoded = CHAT.encode(example["messages"], response, "x")
    assert CHAT.tokenizer.decode(encoded.response_ids) == response + "<|im_end|>"
    return encoded, encoded.n_prompt + encoded.n_response - 1


@pytest.mark.parametrize("batch_tokens", [1, 4096])
def test_likelihood_is_the_sum_over_the_reference_without_its_end_of_turn(base, batch_tokens):
    rows = likelihood.evaluate(base, CHAT, "t", EXAMPLES, batch_tokens)
    for example, row in zip(EXAMPLES, rows, strict=True):
        encoded, end = text_end(example, example["reference"])
        found = logprobs(base, encoded.input_ids, encoded.n_prompt, end)
        expected = -sum(found[n, t].item() for n, t in enumerate(encoded.input_ids[encoded.n_prompt : end]))
        assert row["score"] == pytest.approx(expected, abs=1e-3)
        assert row["n_tokens"] == len(CHAT.tokenizer(example["reference"])["input_ids"]) == len(found)
        assert (row["eval_task"], row["metric"], row["doc_id"]) == ("t", "nll", example["example_id"])
        assert row["target"] == example["reference"]
    assert len({row["doc_hash"] for row in rows}) == 3


def naive_drift(model, example, response, cut):
    encoded, end = text_end(example, response)
    end += not cut
    ours = logprobs(model, encoded.input_ids, encoded.n_prompt, end)
    with model.disable_adapter():
        base = logprobs(model, encoded.input_ids, encoded.n_prompt, end)
    total = 0.0
    for p, q in zip(base.tolist(), ours.tolist(), strict=True):
        total += sum(math.exp(a) * (a - b) for a, b in zip(p, q, strict=True))
    return total, len(ours)


@pytest.mark.parametrize("batch_tokens", [1, 4096])
def test_drift_is_the_divergence_of_the_base_from_the_adapter(base, batch_tokens):
    model = adapted(base)
    rows = drift.evaluate(model, CHAT, "t", EXAMPLES, RESPONSES, batch_tokens)
    answered = [r for r in RESPONSES if r["response"].strip()]
    assert [row["doc_id"] for row in rows] == ["a/0", "a/1", "b/0", "c/1"]
    by_id = {e["example_id"]: e for e in EXAMPLES}
    for response, row in zip(answered, rows, strict=True):
        cut = response["finish_reason"] == "length"
        expected, n = naive_drift(model, by_id[response["example_id"]], response["response"], cut)
        assert row["score"] == pytest.approx(expected, rel=1e-4, abs=1e-4)
        assert row["n_tokens"] == n
        assert row["score"] > 0.1
        assert (row["metric"], row["response"]) == ("kl", response["response"])


def test_a_cut_answer_counts_without_the_end_of_turn_that_it_never_had(base):
    whole = [{**r, "finish_reason": "stop"} for r in RESPONSES]
    model = adapted(base)
    cut, stopped = (drift.evaluate(model, CHAT, "t", EXAMPLES, r, 4096)[1] for r in (RESPONSES, whole))
    assert stopped["n_tokens"] == cut["n_tokens"] + 1
    assert stopped["score"] > cut["score"]


def test_the_base_has_no_drift(base):
    rows = drift.evaluate(base, CHAT, "t", EXAMPLES, RESPONSES, 4096)
    assert [row["score"] for row in rows] == [0.0] * 4
    assert [row["n_tokens"] for row in rows] == [
        row["n_tokens"] for row in drift.evaluate(adapted(base), CHAT, "t", EXAMPLES, RESPONSES, 4096)
    ]


def test_a_fresh_adapter_has_no_drift(base):
    rows = drift.evaluate(adapted(base, zero=True), CHAT, "t", EXAMPLES, RESPONSES, 4096)
    assert [row["score"] for row in rows] == pytest.approx([0.0] * 4, abs=1e-6)


def test_items_of_base_and_adapter_pair_by_their_hash(base):
    hashes = [
        [row["doc_hash"] for row in drift.evaluate(model, CHAT, "t", EXAMPLES, RESPONSES, 4096)]
        for model in (base, adapted(base))
    ]
    assert hashes[0] == hashes[1]
    assert len(set(hashes[0])) == 4


def test_the_adapter_is_on_again_after_drift(base):
    model = adapted(base)
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        expected = model(input_ids=ids).logits
        drift.evaluate(model, CHAT, "t", EXAMPLES, RESPONSES, 4096)
        assert torch.equal(model(input_ids=ids).logits, expected)

"""Prompts as turns: the marks of chat templates are taken off, texts stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_tokenizer

from clearminds.report.turns import turns

ASKED = [("system", "Be brief."), ("user", "What is 1 + 1?\n\nSay it."), ("assistant", "2"), ("user", "And 2 + 2?")]
TEMPLATES = {
    "chatml": ("", "<|im_start|>{role}\n{text}<|im_end|>\n", "<|im_start|>assistant\n"),
    "llama-3": (
        "<|begin_of_text|>",
        "<|start_header_id|>{role}<|end_header_id|>\n\n{text}<|eot_id|>",
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    "gemma": ("<bos>", "<start_of_turn>{role}\n{text}<end_of_turn>\n", "<start_of_turn>model\n"),
    "olmo-2": ("<|endoftext|>", "<|{role}|>\n{text}\n", "<|assistant|>\n"),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_marks_of_known_templates_are_taken_off(name):
    begin, turn, ask = TEMPLATES[name]
    roles = {"assistant": "model"} if name == "gemma" else {}
    prompt = begin + "".join(turn.format(role=roles.get(role, role), text=text) for role, text in ASKED) + ask
    assert turns(prompt) == ASKED


def test_mistral_s_marks_too():
    asked = "<s>[INST] What is 1 + 1? [/INST] 2</s>[INST] And 2 + 2?[/INST]"
    assert turns(asked) == [("user", "What is 1 + 1?"), ("assistant", "2"), ("user", "And 2 + 2?")]


def test_the_tiny_models_template_is_known():
    messages = [{"role": "user", "content": "What is 12 + 34?"}]
    prompt = tiny_tokenizer().apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert turns(prompt) == [("user", "What is 12 + 34?")]


@given(st.text())
def test_a_text_without_marks_is_one_turn_as_it_is(text):
    plain = "Q: " + text
    assert turns(plain) == [("prompt", plain)]

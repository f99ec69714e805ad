"""Where a templated conversation splits into prompt and response: what is refused, what templates may do to the text,
and what reaches them."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import CHAT_TEMPLATE, tiny_tokenizer

from clearminds.errors import UserError
from clearminds.model.conversation import Chat, MergedPromptError
from clearminds.stages.normalise import normalise

ASKED = [{"role": "user", "content": "What is 12 + 34?"}]
TURNS = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
OPEN = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"


def chat(template=CHAT_TEMPLATE, **settings):
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = template
    return Chat(tokenizer, **settings)


CHAT = chat()


@given(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=30),
    st.text(alphabet=st.characters(codec="utf-8"), max_size=30),
)
def test_prompt_and_response_are_the_conversation(asked, said):
    encoded = CHAT.encode([{"role": "user", "content": asked}], said, "x")
    assert encoded.input_ids[: encoded.n_prompt] == CHAT.prompt_ids([{"role": "user", "content": asked}])
    assert CHAT.tokenizer.decode(encoded.response_ids) == said + "<|im_end|>"
    assert encoded.text == f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n{said}<|im_end|>\n"
    start = encoded.spans[0][0]
    assert encoded.text[start : encoded.spans[-1][1]] == said + "<|im_end|>"


def test_a_prompt_that_is_not_a_textual_prefix_is_refused():
    # as templates do that open a thought for generation and drop it from past turns
    thinking = chat(TURNS + "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}")
    with pytest.raises(UserError, match=r"^example e1: .*part at character (\d+).*chat_template") as caught:
        thinking.encode(ASKED, "46", "example e1")
    whole = len("<|im_start|>user\nWhat is 12 + 34?<|im_end|>\n<|im_start|>assistant\n")
    assert f"character {whole})" in str(caught.value)


def test_a_prompt_that_merges_with_the_response_is_refused():
    # "n" and "umber" are one token: the prompt's last token depends on what follows
    merging = chat(
        "{% for m in messages %}{% if m['role'] == 'user' %}{{ m['content'] }} n"
        "{% else %}{{ m['content'] }}<|im_end|>{% endif %}{% endfor %}"
    )
    assert merging.encode(ASKED, "\nx", "x").text.endswith("n\nx<|im_end|>")
    with pytest.raises(UserError, match=r"example e2: the prompt's tokens are not.*let the chat template"):
        merging.encode(ASKED, "umber", "example e2")


@pytest.mark.parametrize("said", ["\n46", "\n \n46", "\n"])
def test_a_response_that_begins_with_what_merges_is_named_with_what_helps(said):
    merging = chat()
    merging.tokenizer.add_tokens(["\n\n"])  # one token, as in most vocabularies
    with pytest.raises(MergedPromptError) as caught:
        merging.encode(ASKED, said, "example e2")
    message = str(caught.value)
    assert message.startswith(f"example e2: the response begins with {said.removesuffix('46')!r}, which the tokenizer")
    assert "take blanks and line breaks at the beginning of responses out of the data" in message
    assert "chat template" not in message
    # the advice helps, and normalising alone would not
    assert merging.encode(ASKED, said.lstrip(), "x")
    assert normalise(said)[0][:1] == said[:1] or not said.strip()


def test_a_turn_without_an_end_is_refused():
    endless = chat("{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}\n{% endfor %}" + OPEN)
    with pytest.raises(UserError, match="example e3: the chat template ends no assistant turn"):
        endless.encode(ASKED, "46", "example e3")


def test_a_template_that_rewrites_the_response_is_refused():
    upper = chat(TURNS.replace("{{ m['content'] }}", "{{ m['content'] | upper }}") + OPEN)
    with pytest.raises(UserError, match="example e4: the chat template changes the response's text"):
        upper.encode(ASKED, "the answer", "example e4")


@pytest.mark.parametrize("said", ["46", " 46", "46\n\n", "  46 \n"])
def test_a_template_may_trim_the_response(said):
    trimming = chat(TURNS.replace("{{ m['content'] }}", "{{ m['content'] | trim }}") + OPEN)
    encoded = trimming.encode(ASKED, said, "x")
    assert trimming.tokenizer.decode(encoded.response_ids) == "46<|im_end|>"
    assert encoded.text[encoded.spans[0][0] : encoded.spans[-1][1]] == "46<|im_end|>"


@pytest.mark.parametrize("said", ["", "<|im_end|>", "46<|im_end|>\n<|im_start|>user\nmore"])
def test_the_last_end_of_turn_is_the_template_s_even_where_the_response_names_it(said):
    encoded = CHAT.encode(ASKED, said, "x")
    assert encoded.text[encoded.spans[-1][0] :] == "<|im_end|>\n"
    assert CHAT.tokenizer.decode(encoded.response_ids) == said + "<|im_end|>"


@pytest.mark.parametrize("printed", ["{{ strftime_now('%d %B %Y') }}", "{{ date_string }}"])
def test_today_s_date_is_a_fixed_one(printed, monkeypatch):
    class Later(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2031, 1, 2)

    from transformers.utils import chat_template_utils

    dated = chat(f"<|im_start|>system\nToday: {printed}<|im_end|>\n" + CHAT_TEMPLATE)
    now = dated.encode(ASKED, "46", "x")
    # the library's own clock is read by templates of other callers, never by ours
    monkeypatch.setattr(chat_template_utils, "datetime", Later)
    later = dated.encode(ASKED, "46", "x")
    assert now == later
    assert "2024" in now.text and "2031" not in later.text
    if "strftime_now" in printed:
        assert "2031" in dated.tokenizer.apply_chat_template(ASKED, tokenize=False)


def test_the_system_prompt_comes_first_where_the_conversation_has_none():
    polite = chat(system="Be polite.")
    assert polite.render(ASKED, add_generation_prompt=True).startswith(
        "<|im_start|>system\nBe polite.<|im_end|>\n<|im_start|>user"
    )
    own = [{"role": "system", "content": "Be brief."}, *ASKED]
    assert polite.render(own, add_generation_prompt=True) == CHAT.render(own, add_generation_prompt=True)
    assert ASKED == [{"role": "user", "content": "What is 12 + 34?"}]


def test_arguments_reach_the_template():
    template = CHAT_TEMPLATE + "{% if add_generation_prompt and enable_thinking is false %}<think></think>\n{% endif %}"
    silent = chat(template, arguments={"enable_thinking": False})
    assert silent.render(ASKED, add_generation_prompt=True).endswith("assistant\n<think></think>\n")
    assert chat(template).render(ASKED, add_generation_prompt=True).endswith("assistant\n")


def test_end_of_turn_ids_are_the_special_tokens():
    ids = CHAT.tokenizer.convert_tokens_to_ids(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    assert CHAT.end_of_turn_ids == frozenset(ids)


def test_a_special_token_without_a_role_may_end_a_turn_and_a_plain_added_one_may_not():
    from tokenizers import AddedToken

    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens([AddedToken("<|eot|>", special=True), AddedToken("<tool>", special=False)])
    tokenizer.chat_template = CHAT_TEMPLATE.replace("<|im_end|>", "<|eot|>")
    other = Chat(tokenizer)
    eot, tool = tokenizer.convert_tokens_to_ids(["<|eot|>", "<tool>"])
    assert eot in other.end_of_turn_ids and tool not in other.end_of_turn_ids
    assert other.encode(ASKED, "<tool>46<tool>", "x").response_ids[-1] == eot


def test_settings_come_from_the_model_s_folder(tmp_path):
    tiny_tokenizer().save_pretrained(tmp_path)
    (tmp_path / "chat.json").write_text('{"system": "Be polite.", "arguments": {"enable_thinking": false}}')
    found = Chat.from_folder(tmp_path)
    assert (found.system, found.arguments) == ("Be polite.", {"enable_thinking": False})
    assert found.encode(ASKED, "46", "x") == chat(system="Be polite.").encode(ASKED, "46", "x")

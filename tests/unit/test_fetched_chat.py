"""A chat template that later stages could not use is refused when the model is fetched, with its line."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import CHAT_TEMPLATE, tiny_model_folder

from clearminds.errors import UserError
from clearminds.files.settings import parse
from clearminds.stages.fetch_model import Origin, fetch


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return tiny_model_folder(tmp_path_factory.mktemp("origin") / "tiny")


@pytest.fixture
def refusal(tiny, tmp_path) -> Callable[..., str]:
    """Fetches the model with a template and returns what refuses it, without what says which model."""

    def refused(template: str, **keys) -> str:
        file = tmp_path / "own.jinja"
        file.write_text(template, encoding="utf-8")
        with pytest.raises(UserError) as caught:
            fetch(parse(Origin, {"path": str(tiny), "chat_template": {"file": str(file), **keys}}, ""), tmp_path / "m")
        message = str(caught.value)
        assert "\n" not in message
        assert message.startswith("models: m: ")
        return message.removeprefix("models: m: ").replace(str(file), "own.jinja")

    return refused


TURNS = "in a conversation of a user's turn and an answer; fix it, name another with chat_template: {file: PATH}, or "
TURNS += "change its system or arguments"


@pytest.mark.parametrize(
    ("template", "line", "said"),
    [
        ("{% for message in messages %}\n{{ message.role }\n{% endfor %}", 2, "unexpected '}'"),
        ("{% for message in messages %}\n{{ message.role }}", 2, "Unexpected end of template. "),
        ("\n{{ messages[0]['content'] | shout }}", 2, "No filter named 'shout'."),
        ("\n\n{{ messages[0].name.first }}", 3, "'dict object' has no attribute 'name'"),
        ("\n{{ raise_exception('no users here') }}", 2, "no users here"),
        ("{{ strftime_now('%d') }}\n{{ 1 + 'a' }}", 2, "unsupported operand type(s) for +: 'int' and 'str'"),
        ("\n\n{{ 1 / 0 }}", 3, "ZeroDivisionError: division by zero"),
        ("{% include 'other' %}", 1, "no loader for this environment specified"),
    ],
)
def test_a_template_that_fails_is_refused_with_its_line(refusal, template, line, said):
    message = refusal(template)
    assert message.startswith(f"chat template own.jinja, line {line}: {said}")
    assert message.endswith(f", {TURNS}")


def test_a_template_that_refuses_an_answer_is_refused(refusal):
    template = "{% if messages[-1].role == 'assistant' %}{{ raise_exception('no answers') }}{% endif %}" + CHAT_TEMPLATE
    assert refusal(template) == f"chat template own.jinja, line 1: no answers, {TURNS}"


def test_a_template_that_refuses_the_configured_system_prompt_is_refused(refusal, tiny, tmp_path):
    template = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + CHAT_TEMPLATE
    message = refusal(template, system="Be brief.")
    assert message.startswith("chat template own.jinja, line 1: no system, in a conversation of the system prompt, a ")
    fetch(
        parse(Origin, {"path": str(tiny), "chat_template": {"file": str(tmp_path / "own.jinja")}}, ""), tmp_path / "n"
    )


def test_arguments_that_are_taken_are_refused(refusal):
    assert "got multiple values for keyword argument 'tokenize'" in refusal(CHAT_TEMPLATE, arguments={"tokenize": True})


def test_a_template_without_an_end_of_turn_is_refused(refusal):
    template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    template += "{% if add_generation_prompt %}assistant:{% endif %}"
    assert refusal(template).startswith(
        "'Hello', answered by 'Hello there.': the chat template ends no assistant turn with one of the end-of-turn"
    )


def test_a_template_whose_prompt_begins_no_conversation_is_refused(refusal):
    template = CHAT_TEMPLATE.replace("assistant\n", "assistant\n<think>\n")
    assert refusal(template).startswith(
        "'Hello', answered by 'Hello there.': the chat template's prompt is not the beginning of the conversation"
    )


def test_a_tokenizer_s_own_template_is_tried_too(tiny, tmp_path):
    origin = tmp_path / "origin"
    origin.mkdir()
    for file in tiny.iterdir():
        (origin / file.name).write_bytes(file.read_bytes())
    (origin / "chat_template.jinja").write_text("\n{{ messages[0].name.first }}")
    with pytest.raises(
        UserError, match=r"^models: m: chat template chat_template.jinja, line 2: 'dict object' has no "
    ):
        fetch(parse(Origin, {"path": str(origin)}, "source"), tmp_path / "m")

"""A prompt and its choices as token ids, split where lm-evaluation-harness splits them.

Blanks and line breaks that a prompt ends with are scored with the choice, because most tokenizers make one token of a
blank and the word behind it. A lead-in begins the assistant's turn; between it and a choice stands the blank it ends
with, or one.
"""

from dataclasses import dataclass, replace

from clearminds.errors import UserError
from clearminds.model.conversation import Chat


@dataclass(frozen=True)
class ChoiceTokens:
    """A prompt and its choices.

    Attributes:
        text: of the prompt, as a reader sees it, with what stands before a choice.
        prompt: its token ids, without the blanks that it ends with.
        choices: token ids of each choice, with these blanks before it.
    """

    text: str
    prompt: list[int]
    choices: list[list[int]]


def encode_choices(chat: Chat, messages: list[dict], choices: list[str], lead_in: str, name: str) -> ChoiceTokens:
    """Tokenise a prompt with each of its choices.

    Args:
        chat: the tokenizer with the template; its `special_tokens` holds for messages and choices.
        messages: the turns before the answer.
        choices: texts of the answers.
        lead_in: what the assistant's turn begins with; "": nothing.
        name: what an error calls it.

    Raises:
        UserError: a choice adds no token of its own.
        SpecialTokenError: as of `Chat.prompt_ids`.
    """
    turns = messages if chat.system is None or messages[0]["role"] == "system" else _with_system(chat, messages)
    answers = [{"role": "assistant", "content": choice} for choice in choices]
    if chat.special_tokens == "refuse":
        chat.refuse_special_tokens([*turns, *answers], name)
    shown, blank = _rendered(chat, turns, lead_in)
    hidden = chat.texts.hide([*turns, *answers], name) if chat.special_tokens == "as_text" else None
    if hidden is None:
        prompt, ends = shown, choices
    else:
        prompt, _ = _rendered(chat, hidden[: len(turns)], lead_in)
        ends = [answer["content"] for answer in hidden[len(turns) :]]

    def ids(text: str) -> list[int]:
        if hidden is None:
            return chat.tokenizer(text, add_special_tokens=False)["input_ids"]
        return chat.texts.encode(text, name).ids

    begin = ids(prompt)
    found = [ids(prompt + blank + end)[len(begin) :] for end in ends]
    for choice, tokens in zip(choices, found, strict=True):
        if not tokens:
            raise UserError(f"{name}: choice {choice!r} merges with its prompt; take it out, or change the lead_in")
    return ChoiceTokens(shown + blank, begin, found)


def _with_system(chat: Chat, messages: list[dict]) -> list[dict]:
    return [{"role": "system", "content": chat.system}, *messages]


def _rendered(chat: Chat, turns: list[dict], lead_in: str) -> tuple[str, str]:
    """The prompt without the blanks that it ends with, and these blanks."""
    if not lead_in:
        text = chat.render(turns, add_generation_prompt=True)
        return text.rstrip(), text[len(text.rstrip()) :]
    said = lead_in.rstrip()
    open_turn = replace(chat, arguments={**chat.arguments, "continue_final_message": True})
    text = open_turn.render([*turns, {"role": "assistant", "content": said}], add_generation_prompt=False)
    return text, lead_in[len(said) :] or " "

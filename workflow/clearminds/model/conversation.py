"""A templated conversation as token ids: where its prompt ends, which tokens are the response, and where those are.

The conversation is rendered and tokenised once. The response is the last assistant turn; its end-of-turn token is the
last one that is scored and trained.
"""

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

from clearminds.errors import UserError
from clearminds.model.encoded import Encoded

# Templates that print today's date would change every prompt every day.
FIXED_DATE = datetime.date(2024, 7, 26)
# transformers hands templates plain data only, so that the fixed date comes as a macro in place of its own function
DATE_CODES = {
    code: FIXED_DATE.strftime(code) for flag in ("%-", "%") for code in (flag + c for c in "aAbBcdHIjmMpSwxXyY")
}
DATE_MACRO = (
    "{% macro strftime_now(format) %}{% set date = namespace(text=format) %}"
    "{% for code, value in date_codes.items() %}{% set date.text = date.text.replace(code, value) %}{% endfor %}"
    "{{ date.text }}{% endmacro +%}"
)


class MergedPromptError(UserError):
    """The prompt's last token merges with the response's first, so that the prompt's tokens are not a prefix."""


class Tokenizer(Protocol):
    """What this project uses of a fast tokenizer of transformers; Any stands for what that gives of batches."""

    @property
    def added_tokens_decoder(self) -> Mapping[int, Any]:
        """Tokens that were added to its vocabulary, by their ids; `special` tells whether one is."""

    @property
    def all_special_ids(self) -> list[int]:
        """Ids of the special tokens."""

    def __call__(self, text: str, **options: Any) -> Mapping[str, Any]:
        """Token ids of a text, and their places in it where these are asked for."""

    def get_chat_template(self) -> str:
        """The text of its chat template."""

    def apply_chat_template(self, conversation: list[dict], *, tokenize: Literal[False], **options: Any) -> str | Any:
        """A conversation as text."""

    def decode(self, token_ids: list[int], *, skip_special_tokens: bool) -> str | Any:
        """Token ids as text."""


@dataclass
class Chat:
    """A tokenizer with the chat settings of its model.

    Attributes:
        tokenizer: a fast tokenizer with a chat template.
        system: a system prompt put before every conversation that has none; None leaves it to the template.
        arguments: further arguments of the template, such as enable_thinking.
    """

    tokenizer: Tokenizer
    system: str | None = None
    arguments: dict = field(default_factory=dict)

    @classmethod
    def from_folder(cls, folder: Path) -> "Chat":
        """Load the tokenizer and the chat settings that `fetch_model` left in a model's folder."""
        from transformers import AutoTokenizer

        settings = json.loads((Path(folder) / "chat.json").read_text(encoding="utf-8"))
        return cls(AutoTokenizer.from_pretrained(folder), settings["system"], settings["arguments"])

    def render(self, messages: list[dict], *, add_generation_prompt: bool) -> str:
        """The conversation as text."""
        if self.system is not None and messages[0]["role"] != "system":
            messages = [{"role": "system", "content": self.system}, *messages]
        date: dict[str, Any]
        template, date = self.tokenizer.get_chat_template(), {"date_string": FIXED_DATE.strftime("%d %b %Y")}
        if "strftime_now" in template:
            template, date = DATE_MACRO + template, {**date, "date_codes": DATE_CODES}
        return self.tokenizer.apply_chat_template(
            messages,
            chat_template=template,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            **date,
            **self.arguments,
        )

    def prompt_ids(self, messages: list[dict]) -> list[int]:
        """Token ids of the prompt, the generation prompt included."""
        return self.tokenizer(self.render(messages, add_generation_prompt=True), add_special_tokens=False)["input_ids"]

    def encode(self, messages: list[dict], response: str, name: str) -> Encoded:
        """Tokenise a conversation whose last turn is `response`.

        Args:
            messages: the turns before the response.
            response: the assistant's turn.
            name: what an error calls this conversation.

        Raises:
            UserError: the prompt is not a prefix of the conversation, in text or in tokens, or the turn has no end.
        """
        prompt = self.render(messages, add_generation_prompt=True)
        text = self.render([*messages, {"role": "assistant", "content": response}], add_generation_prompt=False)
        if not text.startswith(prompt):
            raise UserError(
                f"{name}: the chat template's prompt is not the beginning of the conversation (they part at character "
                f"{_common_prefix(prompt, text)}), so the response cannot be told from the prompt; give the model "
                "another chat_template, or arguments such as enable_thinking: false"
            )
        encoding = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids, offsets = encoding["input_ids"], encoding["offset_mapping"]
        prompt_ids = self.tokenizer(prompt, add_special_tokens=False)["input_ids"]
        n_prompt = len(prompt_ids)
        if ids[:n_prompt] != prompt_ids:
            raise MergedPromptError(
                f"{name}: the prompt's tokens are not the beginning of the conversation's (its end merges with the "
                "response); let the chat template end its generation prompt with a special token or a line break"
            )
        # a template may trim the response or put a blank before it; what follows the response is the template's tail
        start = text.find(response.strip(), len(prompt))
        if start < 0:
            raise UserError(
                f"{name}: the chat template changes the response's text; give the model another chat_template"
            )
        end = start + len(response.strip())
        ends = self.end_of_turn_ids
        last = next((i for i in range(n_prompt, len(ids)) if ids[i] in ends and offsets[i][0] >= end), None)
        if last is None:
            raise UserError(
                f"{name}: the chat template ends no assistant turn with one of the end-of-turn tokens {sorted(ends)}; "
                "give the model a chat_template that does"
            )
        return Encoded(text, list(ids), n_prompt, last + 1 - n_prompt, [tuple(o) for o in offsets[n_prompt : last + 1]])

    @cached_property
    def end_of_turn_ids(self) -> frozenset[int]:
        """Ids that may end a turn: the tokenizer's special tokens, whatever role they are registered for."""
        added = self.tokenizer.added_tokens_decoder
        return frozenset(self.tokenizer.all_special_ids) | {i for i, token in added.items() if token.special}


def _common_prefix(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))

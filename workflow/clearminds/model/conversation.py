"""A templated conversation as token ids: where its prompt ends, which tokens are the response, and where those are.

The conversation is rendered and tokenised once. The response is the last assistant turn; its end-of-turn token is the
last one that is scored and trained.
"""

import datetime
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from clearminds.errors import UserError
from clearminds.model.encoded import Encoded
from clearminds.model.text_tokens import INSTEAD_OF_REFUSING, SpecialTokenError, TextTokens, Tokens
from clearminds.model.tokenizer import Tokenizer

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


@dataclass
class Chat:
    """A tokenizer with the chat settings of its model.

    Attributes:
        tokenizer: a fast tokenizer with a chat template.
        system: a system prompt put before every conversation that has none; None leaves it to the template.
        arguments: further arguments of the template, such as enable_thinking.
        special_tokens: what a special token's string in a message is: `refuse`: an error; `as_text`: ordinary text;
            None: the token itself.
    """

    tokenizer: Tokenizer
    system: str | None = None
    arguments: dict = field(default_factory=dict)
    special_tokens: str | None = None

    @classmethod
    def from_folder(cls, folder: Path) -> "Chat":
        """Load the tokenizer and the chat settings that `fetch_model` left in a model's folder."""
        from transformers import AutoTokenizer

        settings = json.loads((Path(folder) / "chat.json").read_text(encoding="utf-8"))
        return cls(AutoTokenizer.from_pretrained(folder), settings["system"], settings["arguments"])

    def render(self, messages: list[dict], *, add_generation_prompt: bool) -> str:
        """The conversation as text."""
        messages = self._with_system(messages)
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

    def prompt_ids(self, messages: list[dict], name: str = "a prompt") -> list[int]:
        """Token ids of the prompt, the generation prompt included.

        Args:
            messages: its turns.
            name: what an error calls it.

        Raises:
            SpecialTokenError: a message holds a special token, which is refused or cannot be told from text.
        """
        return self._tokens(messages, name, add_generation_prompt=True).ids

    def text_ids(self, text: str) -> list[int]:
        """Token ids of a text without a template."""
        if self.special_tokens == "as_text" and self.texts.first_in(text):
            return self.texts.ids(text)
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def encode(self, messages: list[dict], response: str, name: str) -> Encoded:
        """Tokenise a conversation whose last turn is `response`.

        Args:
            messages: the turns before the response.
            response: the assistant's turn.
            name: what an error calls this conversation.

        Raises:
            UserError: the prompt is not a prefix of the conversation, in text or in tokens, or the turn has no end.
            SpecialTokenError: as of `prompt_ids`.
        """
        asked = self._tokens(messages, name, add_generation_prompt=True)
        turns = [*messages, {"role": "assistant", "content": response}]
        whole = self._tokens(turns, name, add_generation_prompt=False)
        prompt, text, prompt_ids = asked.text, whole.text, asked.ids
        if not text.startswith(prompt):
            raise UserError(
                f"{name}: the chat template's prompt is not the beginning of the conversation (they part at character "
                f"{_common_prefix(prompt, text)}), so the response cannot be told from the prompt; give the model "
                "another chat_template, or arguments such as enable_thinking: false"
            )
        ids, offsets = whole.ids, whole.spans
        n_prompt = len(prompt_ids)
        if ids[:n_prompt] != prompt_ids:
            raise MergedPromptError(self._why_merged(asked, messages, response, name))
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
        return Encoded(text, list(ids), n_prompt, last + 1 - n_prompt, offsets[n_prompt : last + 1])

    def _tokens(self, messages: list[dict], name: str, *, add_generation_prompt: bool) -> Tokens:
        if self.special_tokens == "refuse":
            self.refuse_special_tokens(messages, name)
        if self.special_tokens == "as_text":
            hidden = self.texts.hide(self._with_system(messages), name)
            if hidden is not None:
                return self.texts.encode(self.render(hidden, add_generation_prompt=add_generation_prompt), name)
        text = self.render(messages, add_generation_prompt=add_generation_prompt)
        placed = not add_generation_prompt  # nobody asks where a prompt's tokens are, and telling takes time
        encoding = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=placed)
        spans = [(start, end) for start, end in encoding["offset_mapping"]] if placed else []
        return Tokens(text, encoding["input_ids"], spans)

    def _with_system(self, messages: list[dict]) -> list[dict]:
        if self.system is None or messages[0]["role"] == "system":
            return messages
        return [{"role": "system", "content": self.system}, *messages]

    def refuse_special_tokens(self, messages: list[dict], name: str) -> None:
        """Raise `SpecialTokenError` where a message holds a special token's string. Args: as of `prompt_ids`."""
        for message in messages:
            if token := self.texts.first_in(message["content"]):
                raise SpecialTokenError(f"{name}: it holds the special token {token!r}; {INSTEAD_OF_REFUSING}")

    def _why_merged(self, asked: Tokens, messages: list[dict], response: str, name: str) -> str:
        bare = response.lstrip()
        if bare != response:
            turns = [*messages, {"role": "assistant", "content": bare}]
            without = self._tokens(turns, name, add_generation_prompt=False)
            if without.ids[: len(asked.ids)] == asked.ids:
                begin = response[: len(response) - len(bare)]
                return (
                    f"{name}: the response begins with {begin[:20]!r}, which the tokenizer merges with the prompt's "
                    "last token; take blanks and line breaks at the beginning of responses out of the data (normalise "
                    "keeps them)"
                )
        return (
            f"{name}: the prompt's tokens are not the beginning of the conversation's (its end merges with the "
            "response); let the chat template end its generation prompt with a special token or a line break"
        )

    @cached_property
    def texts(self) -> TextTokens:
        """The special tokens as messages write them."""
        return TextTokens(self.tokenizer)

    @cached_property
    def end_of_turn_ids(self) -> frozenset[int]:
        """Ids that may end a turn: the tokenizer's special tokens, whatever role they are registered for."""
        added = self.tokenizer.added_tokens_decoder
        return frozenset(self.tokenizer.all_special_ids) | {i for i, token in added.items() if token.special}


def _common_prefix(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))

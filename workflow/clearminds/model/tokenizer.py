"""What this project uses of a fast tokenizer of transformers, for annotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import tokenizers


class Tokenizer(Protocol):
    """What this project uses of a fast tokenizer of transformers; Any stands for what that gives of batches."""

    @property
    def added_tokens_decoder(self) -> Mapping[int, Any]:
        """Tokens that were added to its vocabulary, by their ids; `special` tells whether one is."""

    @property
    def all_special_ids(self) -> list[int]:
        """Ids of the special tokens."""

    @property
    def all_special_tokens(self) -> list[str]:
        """The strings of the special tokens that have a role."""

    @property
    def backend_tokenizer(self) -> tokenizers.Tokenizer:
        """What it tokenises with."""

    def __call__(self, text: str, **options: Any) -> Mapping[str, Any]:
        """Token ids of a text, and their places in it where these are asked for."""

    def get_chat_template(self) -> str:
        """The text of its chat template."""

    def apply_chat_template(self, conversation: list[dict], *, tokenize: Literal[False], **options: Any) -> str | Any:
        """A conversation as text."""

    def decode(self, token_ids: list[int], *, skip_special_tokens: bool) -> str | Any:
        """Token ids as text."""

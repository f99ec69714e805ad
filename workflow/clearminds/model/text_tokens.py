"""Special tokens' strings in messages, tokenised as the ordinary text that they are.

A tokenizer takes the string of a special token for the token wherever it is written, so that a message which quotes
`<|im_end|>` ends its turn there. Here such strings are hidden behind characters of a private plane while the chat
template is rendered; then every special token that is left is the template's own, and is marked by a character that a
copy of the tokenizer knows as a token. That copy tokenises special tokens as text, all else as the tokenizer does.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from clearminds.errors import UserError
from clearminds.model.tokenizer import Tokenizer

if TYPE_CHECKING:
    import tokenizers

# in Unicode's last plane, all of it for private use: what stands for a special token of a message, and of the template
HIDDEN, MARKED = 0x100000, 0x108000

INSTEAD_OF_REFUSING = (
    "take it out of the data, or set the task's special_tokens: as_text (it is ordinary text) or keep (it is the token "
    "itself)"
)


class SpecialTokenError(UserError):
    """A text holds a special token's string, and may not hold it or cannot be tokenised with it as text."""


@dataclass(frozen=True)
class Tokens:
    """A tokenised text.

    Attributes:
        text: as a reader sees it.
        ids: of its tokens.
        spans: per token, its (start, end) in characters of `text`; a prompt may have none.
    """

    text: str
    ids: list[int]
    spans: list[tuple[int, int]]


class TextTokens:
    """The special tokens of a tokenizer, where they are written in messages.

    Args:
        tokenizer: a fast one.

    Attributes:
        strings: of the special tokens, the longest first: every added token that is flagged special, and those with a
            role.
    """

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        self._added = {token.content: token for token in tokenizer.added_tokens_decoder.values()}
        special = {name for name, token in self._added.items() if token.special} | set(tokenizer.all_special_tokens)
        self.strings = sorted(special - {""}, key=lambda name: (-len(name), name))
        self._place = {name: n for n, name in enumerate(self.strings)}
        # of two that begin at one place the longer, as the tokenizer takes them
        self._pattern = re.compile("|".join(map(re.escape, self.strings)) or "(?!)")

    def first_in(self, text: str) -> str | None:
        """The first special token's string in a text, if any."""
        found = self._pattern.search(text)
        return found[0] if found else None

    def hide(self, messages: list[dict], name: str) -> list[dict] | None:
        """The messages with special tokens' strings hidden; None: they hold none.

        Args:
            messages: with role and content.
            name: what an error calls them.

        Raises:
            SpecialTokenError: they hold one, and characters of the plane that it is hidden in.
        """
        if not any(self._pattern.search(message["content"]) for message in messages):
            return None
        for message in messages:
            if private := next((c for c in message["content"] if ord(c) >= HIDDEN), None):
                raise SpecialTokenError(
                    f"{name}: it holds a special token and the private-use character U+{ord(private):X}, which "
                    "special_tokens: as_text needs for itself; take one of them out"
                )
        return [{**message, "content": self._replaced(message["content"], HIDDEN)} for message in messages]

    def encode(self, hidden: str, name: str) -> Tokens:
        """Tokenise a rendered conversation.

        Args:
            hidden: rendered from what `hide` gave.
            name: what an error calls it.

        Raises:
            SpecialTokenError: this tokenizer cannot: it makes special tokens of text all the same.
        """
        marked = self._replaced(hidden, MARKED)
        # the copy must be as good as the tokenizer itself where the messages hold nothing special
        sound = self._encode(marked).ids == self.tokenizer(hidden, add_special_tokens=False)["input_ids"]
        found = self._encode(marked.translate({HIDDEN + n: string for n, string in enumerate(self.strings)}))
        n_marks = sum(ord(character) >= MARKED for character in marked)
        if not sound or sum(token in self._special_ids for token in found.ids) != n_marks:
            raise SpecialTokenError(
                f"{name}: this model's tokenizer cannot take the string of a special token as text, as special_tokens: "
                "as_text asks; take it out of the data, or set special_tokens: keep"
            )
        return found

    def ids(self, text: str) -> list[int]:
        """Token ids of a text in which nothing is a special token."""
        return self._copy.encode(text, add_special_tokens=False).ids

    def _replaced(self, text: str, first: int) -> str:
        return self._pattern.sub(lambda found: chr(first + self._place[found[0]]), text)

    def _encode(self, marked: str) -> Tokens:
        encoding = self._copy.encode(marked, add_special_tokens=False)
        places = [n for n, character in enumerate(marked) if ord(character) >= MARKED]
        longer = [0]  # by how much the text up to and with each mark is longer than the marked one
        for place in places:
            longer.append(longer[-1] + len(self.strings[ord(marked[place]) - MARKED]) - 1)
        spans = [
            (start + longer[bisect_left(places, start)], end + longer[bisect_left(places, end)])
            for start, end in encoding.offsets
        ]
        text = marked.translate({MARKED + n: string for n, string in enumerate(self.strings)})
        return Tokens(text, [self._marks.get(token, token) for token in encoding.ids], spans)

    @cached_property
    def _copy(self) -> tokenizers.Tokenizer:
        from tokenizers import AddedToken, Tokenizer

        copy = Tokenizer.from_str(self.tokenizer.backend_tokenizer.to_str())
        copy.no_truncation()
        copy.no_padding()
        copy.encode_special_tokens = True
        flags = ("lstrip", "rstrip", "single_word", "normalized")
        copy.add_tokens(
            [
                AddedToken(
                    chr(MARKED + n),
                    special=False,
                    **{flag: getattr(self._added[name], flag) if name in self._added else False for flag in flags},
                )
                for n, name in enumerate(self.strings)
            ]
        )
        return copy

    @cached_property
    def _marks(self) -> dict[int, int]:
        """The ids of marks, and of the special tokens that they mark."""
        backend = self.tokenizer.backend_tokenizer
        ids = {self._copy.token_to_id(chr(MARKED + n)): backend.token_to_id(s) for n, s in enumerate(self.strings)}
        return {mark: token for mark, token in ids.items() if mark is not None and token is not None}

    @cached_property
    def _special_ids(self) -> frozenset[int]:
        return frozenset(self._marks.values())

"""What a plan of batches needs of conversations, in some bytes each: how long they are, and which begin alike."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from clearminds.model.encoded import Encoded


@dataclass(frozen=True)
class Outlines:
    """Conversations, as far as batches are planned by them. Each column is int64 [conversations].

    Attributes:
        tokens: of each conversation.
        n_prompt: of these, the prompt's.
        n_response: and the response's.
        prompt: equal numbers where prompts are equal, and else others.
        whole: the same of all tokens.
    """

    tokens: np.ndarray
    n_prompt: np.ndarray
    n_response: np.ndarray
    prompt: np.ndarray
    whole: np.ndarray

    @classmethod
    def of(cls, encoded: Iterable[Encoded]) -> Outlines:
        """The outlines of conversations. Args: these, each needed for this once."""
        columns = [array("q") for _ in range(5)]
        for one in encoded:
            ids = array("i", one.input_ids)
            numbers = _number(ids[: one.n_prompt]), _number(ids)
            for column, value in zip(columns, (len(ids), one.n_prompt, one.n_response, *numbers), strict=True):
                column.append(value)
        return cls(*(np.array(column, np.int64) for column in columns))

    def __len__(self) -> int:
        return len(self.tokens)

    def take(self, rows: Sequence[int]) -> Outlines:
        """Those of some conversations, in that order."""
        at = np.array(rows, np.int64)
        return Outlines(self.tokens[at], self.n_prompt[at], self.n_response[at], self.prompt[at], self.whole[at])


def _number(ids: array) -> int:
    """64 bits of a hash: of 10^6 different texts two have the same with a probability of 3e-8."""
    return int.from_bytes(hashlib.blake2b(ids.tobytes(), digest_size=8).digest(), "little", signed=True)

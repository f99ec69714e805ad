"""The token scores of whole responses, as weight rules read them: columns of arrays, one value a token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clearminds.errors import UserError
from clearminds.files.digests import digest

BASE = ""  # in `Scores.tables`, what the model that will be trained says of the tokens


@dataclass(frozen=True)
class Scores:
    """A block of whole responses.

    Args:
        tables: by scorer, the columns of the contract TOKEN_SCORES by name. They are read when they are asked for.
        starts: int64 [responses + 1], where each response begins, and the number of tokens last.
        keys: example_id and sample of each response.
        draw: seed of a rule that draws at random, if any does.
        scorer: whose columns are meant.
    """

    tables: Mapping[str, Mapping[str, np.ndarray]]
    starts: np.ndarray
    keys: Sequence[tuple[str, int]]
    draw: int | None = None
    scorer: str = BASE

    def __getitem__(self, column: str) -> np.ndarray:
        """A column, one value a token."""
        return self.tables[self.scorer][column]

    @property
    def loss(self) -> np.ndarray:
        """float64 [tokens]: -logprob, in nats.

        Raises:
            UserError: one is no number, which no threshold would notice.
        """
        found = -self["logprob"].astype(np.float64)
        if (wrong := np.isnan(found)).any():
            example, sample = self.keys[int(np.searchsorted(self.starts, wrong.argmax(), side="right")) - 1]
            raise UserError(
                f"example {example}, sample {sample}: the scores of its tokens are no numbers (NaN); set the file of "
                "the store aside that has them, and score with bfloat16 or float32"
            )
        return found

    @property
    def n_tokens(self) -> int:
        """Tokens of all responses."""
        return int(self.starts[-1])

    @property
    def lengths(self) -> np.ndarray:
        """int64 [responses]: tokens of each."""
        return np.diff(self.starts)

    def per_token(self, values: np.ndarray) -> np.ndarray:
        """A value of each response at each of its tokens."""
        return np.repeat(values, self.lengths)

    def count(self, tokens: np.ndarray) -> np.ndarray:
        """int64 [responses]: how many tokens of each are true."""
        sums = np.concatenate([[0], np.cumsum(tokens, dtype=np.int64)])
        return np.diff(sums[self.starts])

    def order(self, values: np.ndarray) -> np.ndarray:
        """int64 [tokens]: the place of each token among those of its response from the lowest value, which is 0.

        Of equal values the earlier token comes first.
        """
        response = np.repeat(np.arange(len(self.keys)), self.lengths)
        place = np.empty(self.n_tokens, np.int64)
        place[np.lexsort((values, response))] = np.arange(self.n_tokens)
        return place - self.per_token(self.starts[:-1])

    def generator(self, response: int) -> np.random.Generator:
        """A response's own random stream, which depends on its key and the draw alone."""
        return np.random.default_rng(int(digest([self.draw, *self.keys[response]])[:16], 16))

    def by(self, scorer: str | None) -> Scores:
        """The same tokens as another model scores them. Args: its name; None: as now."""
        return self if scorer is None else replace(self, scorer=scorer)

    def name(self, token: int) -> str:
        """A token in messages: which it is of which response."""
        response = int(np.searchsorted(self.starts, token, side="right")) - 1
        example_id, sample = self.keys[response]
        return f"example {example_id}, sample {sample}, position {token - int(self.starts[response])}"

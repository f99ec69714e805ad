"""The responses of a table on disk while they are scored: of each one its key and lengths stay in memory.

A table's ids, texts and places in the text take several hundred bytes a token as Python's objects.
"""

from array import array
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clearminds.files import contracts
from clearminds.files.contracts import STATISTICS
from clearminds.files.row_groups import ROWS
from clearminds.model.encode_responses import Sequence
from clearminds.model.spooled import SpooledIds

TEXTS = pa.schema([contracts.TOKEN_SCORES.schema.field(name) for name in ("token", "char_start", "char_end")])
TOKENS = 2**14  # whose texts are written together, or a few more


class Spool:
    """The responses of a table in their conversations.

    Args:
        sequences: all of them.
        ids: an empty file of the disk, open for writing and reading bytes: 4 bytes a token.
        texts: another, for the texts of response tokens: some 15 bytes each. None: no table of scores is asked for.

    Attributes:
        encoded: the conversations without their texts.
    """

    def __init__(self, sequences: Iterable[Sequence], ids: IO[bytes], texts: IO[bytes] | None):
        self.encoded = SpooledIds(ids)
        self._example_ids: list[str] = []
        self._samples = array("h")
        self._texts, self._ends = texts, [0]
        self._fill(sequences if texts is None else self._with_texts(sequences, texts))

    def _fill(self, sequences: Iterable[Sequence]) -> None:
        for sequence in sequences:
            self._example_ids.append(sequence.example_id)
            self._samples.append(sequence.sample)
            self.encoded.append(sequence.encoded)

    def _with_texts(self, sequences: Iterable[Sequence], file: IO[bytes]) -> Iterator[Sequence]:
        """The same sequences, whose texts are written on the way."""
        last = 0
        with pa.ipc.new_stream(file, TEXTS) as writer:
            columns = _empty()
            for last, sequence in enumerate(sequences, start=1):
                encoded = sequence.encoded
                columns["token"] += [encoded.text[start:end] for start, end in encoded.spans]
                columns["char_start"] += [start for start, _ in encoded.spans]
                columns["char_end"] += [end for _, end in encoded.spans]
                if len(columns["token"]) >= TOKENS:
                    writer.write(pa.record_batch(columns, schema=TEXTS))
                    columns = _empty()
                    self._ends.append(last)
                yield sequence
            if self._ends[-1] < last:
                writer.write(pa.record_batch(columns, schema=TEXTS))
                self._ends.append(last)

    def sequence_rows(self) -> Iterator[pa.Table]:
        """The contract SEQUENCES, a group of rows after another."""
        n = len(self.encoded)
        for first in range(0, max(n, 1), ROWS):
            last = min(first + ROWS, n)
            columns = {
                "example_id": self._example_ids[first:last],
                "sample": self._samples[first:last],
                "input_ids": self.encoded.lists(first, last),
                "n_prompt": self.encoded.n_prompt[first:last],
            }
            yield pa.table(columns, schema=contracts.SEQUENCES.schema)

    def score_rows(self, statistics: pa.Table) -> Iterator[pa.Table]:
        """The contract TOKEN_SCORES, one row per response token, some responses after others.

        Args:
            statistics: one row per conversation, a list per statistic.
        """
        if self._texts is None:
            raise ValueError("the texts of tokens were not kept")
        self._texts.seek(0)
        first = 0
        for texts, last in zip(pa.ipc.open_stream(self._texts), self._ends[1:], strict=True):
            yield self._scored(first, last, texts, statistics.slice(first, last - first))
            first = last

    def _scored(self, first: int, last: int, texts: pa.RecordBatch, statistics: pa.Table) -> pa.Table:
        lengths = np.array(self.encoded.n_response[first:last], np.int64)
        starts = np.cumsum(lengths) - lengths
        response = pa.array(np.repeat(np.arange(last - first), lengths))
        columns = {
            "example_id": pa.array(self._example_ids[first:last], pa.string()).take(response),
            "sample": pa.array(self._samples[first:last], pa.int16()).take(response),
            "position": np.arange(texts.num_rows) - np.repeat(starts, lengths),
            "token_id": self.encoded.response_ids(first, last),
            **{name: texts[name] for name in TEXTS.names},
            **{name: pc.list_flatten(statistics[name]) for name in STATISTICS},
        }
        return pa.table(columns, schema=contracts.TOKEN_SCORES.schema)


@contextmanager
def spooled(sequences: Iterable[Sequence], folder: Path, *, texts: bool) -> Iterator[Spool]:
    """A spool whose files have no name and vanish with the block, or with the process.

    Args:
        sequences: as of `Spool`.
        folder: where they take their place: beside the result, which takes as much.
        texts: whether a table of scores is asked for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:
        ids = files.enter_context(TemporaryFile(dir=folder))
        yield Spool(sequences, ids, files.enter_context(TemporaryFile(dir=folder)) if texts else None)


def _empty() -> dict[str, list]:
    return {name: [] for name in TEXTS.names}

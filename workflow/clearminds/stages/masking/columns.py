"""The columns of a score table, each read when it is asked for, and only the row groups that are needed."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clearminds.files.reading import readable

KEYS = ["example_id", "sample"]
TEXTS = ["example_id", "token"]  # the same ones again and again: read as a dictionary and indices


def keys_of(responses: pa.Table | pa.RecordBatch) -> list[tuple[str, int]]:
    """example_id and sample of each row."""
    return list(zip(*(responses[name].to_pylist() for name in KEYS), strict=True))


class ScoreFile:
    """A file of the contract TOKEN_SCORES, of which ranges of rows are read from first to last.

    Args:
        path: the file.
    """

    def __init__(self, path: Path):
        self.path = path
        with readable(path):
            self._file = pq.ParquetFile(path, read_dictionary=TEXTS)
        groups = [self._file.metadata.row_group(n).num_rows for n in range(self._file.num_row_groups)]
        self._edges = np.concatenate([[0], np.cumsum(groups, dtype=np.int64)])
        self._held: dict[str, tuple[range, pa.ChunkedArray]] = {}
        self.names = self._file.schema_arrow.names

    @cached_property
    def starts(self) -> np.ndarray:
        """int64 [responses + 1]: the rows with which responses begin, and the number of rows."""
        found = [np.empty(0, np.int64)]
        for edge, end in zip(self._edges, self._edges[1:], strict=False):
            if end > edge:  # a table without rows has a group without any
                found.append(np.flatnonzero(self.read("position", edge, end).to_numpy() == 0) + edge)
        return np.concatenate([*found, self._edges[-1:]])

    def responses(self, first: int, last: int) -> pa.Table:
        """Columns example_id and sample of the responses from one number up to another."""
        edges = self.starts[first : last + 1]
        at = pa.array(edges[:-1] - edges[0])
        columns = {name: self.read(name, int(edges[0]), int(edges[-1])).take(at) for name in KEYS}
        return pa.table({**columns, "example_id": columns["example_id"].cast(pa.string())})

    @cached_property
    def numbers(self) -> dict[tuple[str, int], int]:
        """The number of each response, by its key."""
        n, step = len(self.starts) - 1, 1024
        parts = (self.responses(first, min(first + step, n)) for first in range(0, n, step))
        return {key: number for number, key in enumerate(key for part in parts for key in keys_of(part))}

    def read(self, name: str, start: int, stop: int) -> pa.ChunkedArray:
        """A column from row `start` up to `stop`."""
        groups = range(bisect_right(self._edges, start) - 1, max(int(np.searchsorted(self._edges, stop)), 1))
        held, column = self._held.get(name, (range(0), None))
        if held != groups:
            # going forwards a group is read once, though blocks end within it
            both = [n for n in groups if n in held] if groups[0] in held else []
            old = [column.slice(self._edges[n] - self._edges[held[0]], self._rows(n)) for n in both]
            new = list(groups[len(both) :])
            with readable(self.path):
                read = [self._file.read_row_groups(new, columns=[name])[name]] if new else []
            column = pa.chunked_array([chunk for part in (*old, *read) for chunk in part.chunks], self._type(name))
            self._held[name] = groups, column
        return column.slice(start - self._edges[groups[0]], stop - start)

    def _rows(self, group: int) -> int:
        return int(self._edges[group + 1] - self._edges[group])

    def _type(self, name: str) -> pa.DataType:
        return self._file.schema_arrow.field(name).type


class BlockColumns(Mapping[str, np.ndarray]):
    """The columns of some rows as arrays, each read when it is first asked for.

    Args:
        file: of the scores.
        start, stop: the rows.
        kept: bool [stop - start], the rows that are wanted; None: all.
    """

    def __init__(self, file: ScoreFile, start: int, stop: int, kept: np.ndarray | None):
        self._file, self._start, self._stop, self._kept = file, start, stop, kept
        self._arrays: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._arrays:
            if name not in self._file.names:
                raise KeyError(name)
            column = self._file.read(name, self._start, self._stop)
            if pa.types.is_dictionary(column.type):
                column = column.unify_dictionaries()
                texts = column.chunk(0).dictionary.to_numpy(zero_copy_only=False) if column.num_chunks else []
                indices = pa.chunked_array([chunk.indices for chunk in column.chunks], pa.int32())
                found = np.asarray(texts, object)[indices.to_numpy()]
            else:
                found = column.to_numpy()
            self._arrays[name] = found if self._kept is None else found[self._kept]
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.names)

    def __len__(self) -> int:
        return len(self._file.names)

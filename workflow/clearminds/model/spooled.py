"""Conversations whose token ids lie in a file until a batch needs them, so that memory does not grow with tokens."""

from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import IO, overload

import numpy as np
import pyarrow as pa

from clearminds.model.encoded import Encoded

ID = np.dtype(np.int32)


class SpooledIds(Sequence[Encoded]):
    """Conversations without their texts, each read when it is asked for.

    Args:
        file: an empty one of the disk, open for writing and reading bytes. All conversations are added before the first
            is read.

    Attributes:
        n_prompt, n_response: of each conversation, as of `Encoded`.
    """

    def __init__(self, file: IO[bytes]):
        self._file, self._edges = file, array("q", [0])
        self.n_prompt, self.n_response = array("i"), array("i")

    def append(self, one: Encoded) -> None:
        """Add a conversation."""
        self._file.write(array("i", one.input_ids).tobytes())
        self._edges.append(self._edges[-1] + len(one.input_ids))
        self.n_prompt.append(one.n_prompt)
        self.n_response.append(one.n_response)

    def __len__(self) -> int:
        return len(self.n_prompt)

    @overload
    def __getitem__(self, n: int) -> Encoded: ...

    @overload
    def __getitem__(self, n: slice) -> list[Encoded]: ...

    def __getitem__(self, n: int | slice) -> Encoded | list[Encoded]:
        if isinstance(n, slice):
            return [self[one] for one in range(*n.indices(len(self)))]
        n = range(len(self))[n]
        return Encoded("", self._ids(n, n + 1).tolist(), self.n_prompt[n], self.n_response[n], [])

    def lists(self, first: int, last: int) -> pa.ListArray:
        """The ids of some conversations, list<int32>. Args: numbers of the first, and of the one behind the last."""
        edges = np.array(self._edges[first : last + 1], np.int64) - self._edges[first]
        return pa.ListArray.from_arrays(pa.array(edges, pa.int32()), pa.array(self._ids(first, last)))

    def response_ids(self, first: int, last: int) -> np.ndarray:
        """The ids of some responses, int32, one after another. Args: as of `lists`."""
        ids, begin = self._ids(first, last), self._edges[first]
        parts: list[np.ndarray] = [np.empty(0, ID)]
        for n, (start, _) in zip(range(first, last), pairwise(self._edges[first : last + 1]), strict=True):
            response = start - begin + self.n_prompt[n]
            parts.append(ids[response : response + self.n_response[n]])
        return np.concatenate(parts)

    def _ids(self, first: int, last: int) -> np.ndarray:
        self._file.seek(self._edges[first] * ID.itemsize)
        return np.fromfile(self._file, ID, self._edges[last] - self._edges[first])

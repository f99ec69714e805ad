"""The scores of conversations out of a store, in their order."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.contracts import STATISTICS
from clearminds.reuse.store import Store

_ARROW = {name: contracts.TOKEN_SCORES.schema.field(name).type for name in STATISTICS}
TYPES = {name: kind.to_pandas_dtype() for name, kind in _ARROW.items()}
VALUES = pa.schema([(name, pa.list_(kind)) for name, kind in _ARROW.items()])


def found_in(store: Store, keys: Sequence[bytes], lengths: np.ndarray) -> pa.Table:
    """The stored rows of `keys`, in their order. Each value is in memory once, beside one part of the store.

    Args:
        store: of the columns `VALUES`.
        keys: of conversations; they may repeat.
        lengths: response tokens of each.

    Raises:
        UserError: one is not there.
    """
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    flat = {name: np.empty(starts[-1], kind) for name, kind in TYPES.items()}
    first = {key: n for n, key in reversed(list(enumerate(keys)))}
    left = len(first)
    for piece in store.pieces(keys):
        places = [first[key] for key in piece["key"].to_pylist()]
        left -= len(places)
        for name, values in flat.items():
            _spread(pc.list_flatten(piece[name]).to_numpy(), values, starts, places)
    if left:
        raise UserError(f"{store.folder}: the scores of {left} sequences were removed while this job ran; run again")
    repeated = [(n, first[key]) for n, key in enumerate(keys) if first[key] != n]
    for values in flat.values():
        for n, place in repeated:
            values[starts[n] : starts[n + 1]] = values[starts[place] : starts[place + 1]]
    offsets = pa.array(starts, pa.int32())
    return pa.table(
        {name: pa.ListArray.from_arrays(offsets, pa.array(values)) for name, values in flat.items()}, schema=VALUES
    )


def _spread(given: np.ndarray, values: np.ndarray, starts: np.ndarray, places: list[int]) -> None:
    """Put the rows of a part where they belong. Args: the rows one after another; where to; of all rows; of these."""
    at = 0
    for place in places:
        start, end = starts[place], starts[place + 1]
        values[start:end] = given[at : at + end - start]
        at += end - start

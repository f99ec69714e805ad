"""The rows of a table as they are needed: read from disk each time, or one column held as Arrow holds it.

Python's objects of a table's texts take several times the memory of the texts.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from clearminds.files.contracts import Contract
from clearminds.files.reading import batches
from clearminds.files.tables import provenance_of

AT_ONCE = 1024  # rows


class Rows:
    """The rows of a file as dictionaries, one after another; they can be gone through any number of times.

    Args:
        path: the file.
        contract: the one it must have.
        columns: those that are read.

    Raises:
        UserError: the file cannot be read, or has another contract or version.
    """

    def __init__(self, path: Path, contract: Contract, columns: list[str]):
        provenance_of(path, contract)
        self.path, self.columns = path, columns

    def __iter__(self) -> Iterator[dict]:
        for batch in batches(self.path, AT_ONCE, self.columns):
            yield from batch.to_pylist()


class Keyed(Mapping[str, Any]):
    """One column of a file by the values of another, such as the turns of each example.

    Args:
        rows: of the file.
        key: a column of texts, each once.
        value: the column that is wanted.
    """

    def __init__(self, rows: Rows, key: str, value: str):
        parts = list(batches(rows.path, AT_ONCE, [key, value]))
        self._rows = {name: n for n, name in enumerate(name for part in parts for name in part[key].to_pylist())}
        self._values = pa.chunked_array([part[value] for part in parts]) if parts else []

    def __getitem__(self, name: str) -> Any:
        return self._values[self._rows[name]].as_py()

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

"""Reading and writing the Parquet files of `contracts`: atomically, with provenance, and checked when read.

Provenance is one JSON object under the key `clearminds` of a file's metadata: contract, version, spec, code,
fingerprints of model and tokenizer, library versions (of the job, and of those that computed what it took from a
store), and what the stage counted.
"""

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clearminds.errors import UserError
from clearminds.files.contracts import VERSION, Contract
from clearminds.files.digests import file_sha256
from clearminds.files.reading import readable

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "datasets", "lm_eval", "polars", "pyarrow", "reasoning-gym")


def library_versions() -> dict[str, str]:
    """Versions of the libraries that can change a number, of those installed here."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; it takes `path`'s place when the block ends well, else it is removed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.errno and error.filename in (None, str(temporary)):
            error.filename = str(path)  # the place that the user knows, which Arrow's errors leave out
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a small text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: object) -> None:
    """Write JSON with sorted keys, atomically."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


class TableWriter:
    """A table that is being written, row group by row group; see `table_writer`.

    Args:
        writer: of the file.
        contract: one of `contracts`.
    """

    def __init__(self, writer: pq.ParquetWriter, contract: Contract):
        self._writer, self.contract = writer, contract
        self.schema = contract.schema
        self.finished = False

    def write(self, rows: pa.Table | list[dict]) -> None:
        """Write a row group. Args: a table, or a list of rows, that fits the contract."""
        table = pa.Table.from_pylist(rows, schema=self.schema) if isinstance(rows, list) else rows.cast(self.schema)
        self._writer.write_table(table)

    def finish(self, provenance: dict) -> None:
        """Write what is known only now that all rows are written.

        Args:
            provenance: JSON-able facts about how the rows came to be, kept in the file's metadata.
        """
        self._writer.add_key_value_metadata({"clearminds": _facts(self.contract, provenance)})
        self.finished = True


@contextmanager
def table_writer(path: Path, contract: Contract) -> Iterator[TableWriter]:
    """Write a table row group by row group, and its provenance last.

    Args:
        path: where to; written under a temporary name first.
        contract: one of `contracts`.

    Raises:
        RuntimeError: the block ended without `finish`; the file is not written.
    """
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, contract.schema, compression="zstd") as writer:
        table = TableWriter(writer, contract)
        yield table
        if not table.finished:
            raise RuntimeError(f"{path}: the table was not finished with its provenance")


def _facts(contract: Contract, provenance: dict) -> str:
    facts = {"contract": contract.name, "version": VERSION, "libraries": library_versions(), **provenance}
    return json.dumps(facts, sort_keys=True)


def write_table(path: Path, rows: pa.Table | list[dict], contract: Contract, provenance: dict) -> None:
    """Write `rows` as one Parquet file.

    Args:
        path: where to; written under a temporary name first.
        rows: a table, or a list of rows, that fits the contract.
        contract: one of `contracts`.
        provenance: JSON-able facts about how the rows came to be, kept in the file's metadata.
    """
    with table_writer(path, contract) as table:
        table.write(rows)
        table.finish(provenance)


def read_provenance(path: Path) -> dict:
    """The facts that `write_table` put into the file's metadata."""
    with readable(path):
        metadata = pq.read_metadata(path).metadata or {}
    if b"clearminds" not in metadata:
        raise UserError(f"{path}: Parquet file without clearminds metadata; delete it and run the workflow again")
    return json.loads(metadata[b"clearminds"])


def provenance_of(path: Path, contract: Contract) -> dict:
    """The facts of a file of a given contract.

    Raises:
        UserError: the file cannot be read, or has another contract or version.
    """
    facts = read_provenance(path)
    if (facts["contract"], facts["version"]) != (contract.name, VERSION):
        raise UserError(
            f"{path}: holds {facts['contract']} version {facts['version']}, but {contract.name} version "
            f"{VERSION} is needed; delete it and run the workflow again"
        )
    return facts


def read_table(path: Path, contract: Contract, *, tokenizer: str | None = None) -> pa.Table:
    """Read a file of a given contract.

    Args:
        path: the file.
        contract: the one it must have.
        tokenizer: fingerprint of the tokenizer whose ids are expected, where the file has token ids.

    Raises:
        UserError: the file cannot be read, or has another contract, version or tokenizer.
    """
    facts = provenance_of(path, contract)
    if tokenizer is not None and facts.get("tokenizer", tokenizer) != tokenizer:
        raise UserError(
            f"{path}: token ids are those of tokenizer {facts['tokenizer'][:12]}, but the model's is "
            f"{tokenizer[:12]}; score the responses with the tokenizer of the model that is trained"
        )
    with readable(path):
        return pq.read_table(path, schema=contract.schema)


def content_sha256(path: Path, also: Collection[str] = ()) -> str:
    """SHA-256 of what a file says, in hexadecimal: of one of our tables, of its rows, columns and fingerprints only.

    Two runs may come to the same rows by other settings, or count other things on the way; who reads the rows need not
    care. Of a table the data pages are taken as they are in the file, and of its footer the schema and facts.

    Args:
        path: the file.
        also: facts of how a table came to be that its reader does care for, as "counts" or "counts.matched".
    """
    if path.suffix != ".parquet" or not _is_ours(path):
        return file_sha256(path)
    every = read_provenance(path)
    facts = {key: value for key, value in every.items() if key not in _OF_THE_RUN}
    facts |= {name: fact for name in also if (fact := _fact(every, name)) is not None}
    found = hashlib.sha256(json.dumps([str(pq.read_schema(path).remove_metadata()), facts], sort_keys=True).encode())
    with open(path, "rb") as handle:
        handle.seek(-8, os.SEEK_END)
        left = handle.tell() - int.from_bytes(handle.read(4), "little")  # a Parquet file ends: footer, its length, PAR1
        handle.seek(0)
        while left > 0 and (block := handle.read(min(left, 2**20))):
            found.update(block)
            left -= len(block)
    return found.hexdigest()


def _fact(facts: Any, name: str) -> Any:
    for key in name.split("."):
        facts = facts.get(key) if isinstance(facts, dict) else None
    return facts


def _is_ours(path: Path) -> bool:
    try:
        return b"clearminds" in (pq.read_metadata(path).metadata or {})
    except (pa.ArrowInvalid, OSError):  # who reads its rows says what is wrong with it
        return False


_OF_THE_RUN = ("spec", "code", "libraries", "computed_with", "counts", "masks", "scoring", "left_out")

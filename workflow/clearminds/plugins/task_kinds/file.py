"""Tasks from a user's own files: JSONL, Parquet or a JSON array, told by the suffix."""

import codecs
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from clearminds.errors import UserError
from clearminds.files.reading import readable
from clearminds.files.user_path import user_path
from clearminds.plugins.task_kinds import rows
from clearminds.plugins.task_kinds.split_files import SUFFIXES, files_of, is_array, rows_of


def load(spec: dict, split: str) -> list[dict]:
    """The rows of one split's files, as rows of `contracts.EXAMPLES`.

    Args:
        spec: `splits` (name to a path, or to what `split_files.files_of` takes, and `limit`, how many rows to read),
            and what `rows.examples` reads.
        split: a key of `splits`.

    Raises:
        UserError: a file is missing, empty, damaged, or of another suffix; or a row is bad. Names file and row: the
            line of a JSONL file and the item of a JSON array, counted from 1, or the row of a Parquet file, counted
            from 0.
    """
    entry = spec["splits"][split]
    files = _files(entry)
    if not spec.get("template"):
        rows.columns_of(spec)
    records = itertools.chain.from_iterable(_records(file, spec) for file in files)
    return rows.examples(str(files[0]), itertools.islice(records, *rows_of(entry)), spec, split)


def check(spec: dict, split: str) -> None:
    """Refuse what `load` refuses, as far as the columns and the first row of a JSON file tell. Args: as of `load`."""
    entry = spec["splits"][split]
    first, *_ = _files(entry)
    if first.suffix != ".parquet":
        load({**spec, "splits": {split: {"path": str(first), "limit": 1}}}, split)
        return
    with readable(first, remedy="save it as Parquet again, or as JSONL"):  # whose rows come by the ten thousand
        rows.columns_read(str(first), pq.read_schema(first).names, spec)


def _files(entry: str | dict) -> list[Path]:
    path = user_path(entry if isinstance(entry, str) else entry["path"])
    if path.suffix not in SUFFIXES and not path.is_dir():
        raise UserError(f"{path}: suffix {path.suffix!r} is not supported; allowed: {', '.join(SUFFIXES)}")
    return files_of(entry)


def _records(path: Path, spec: dict) -> Iterator[rows.Record]:
    if path.suffix == ".parquet":
        return _parquet(path, spec)
    return _json_array(path, spec) if path.suffix == ".json" and is_array(path) else _json_lines(path, spec)


def _json_array(path: Path, spec: dict) -> Iterator[rows.Record]:
    items = _read(str(path), path.read_bytes(), "utf-8-sig")
    assert isinstance(items, list)
    for number, record in enumerate(items, 1):
        yield _checked(f"{path} item {number}", record, spec)


def _json_lines(path: Path, spec: dict) -> Iterator[rows.Record]:
    with open(path, "rb") as lines:  # bytes, so that a line that is not UTF-8 can be named
        for number, line in enumerate(lines, 1):
            where = f"{path} line {number}"
            if line.isspace() or line == codecs.BOM_UTF8:
                continue
            yield _checked(where, _read(where, line, "utf-8-sig" if number == 1 else "utf-8"), spec)


def _read(where: str, text: bytes, encoding: str) -> object:
    try:
        return json.loads(text.decode(encoding).rstrip(), object_pairs_hook=_Object, parse_constant=_NoNumber.of)
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: not valid UTF-8 ({error.reason}); save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        line = f" of line {error.lineno}" if error.lineno > 1 else ""
        raise UserError(f"{where}: not valid JSON ({error.msg} at character {error.colno}{line})") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or a thousand brackets
        raise UserError(f"{where}: not readable JSON ({error}); fix the line or take it out") from error


def _checked(where: str, record: object, spec: dict) -> rows.Record:
    if not isinstance(record, _Object):
        raise UserError(f"{where}: a line must be a JSON object; found {type(record).__name__}")
    _refuse_what_json_has_not(record, rows.columns_read(where, record, spec), where)
    return where, record


class _Object(dict):
    """A JSON object that knows which of its keys it was given twice."""

    def __init__(self, pairs: list[tuple[str, object]]):
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs)
        self.twice = {key for key, count in counts.items() if count > 1}


class _NoNumber(float):
    """NaN or Infinity, which Python's parser takes and JSON does not have, as it was written."""

    name: str

    @classmethod
    def of(cls, name: str) -> "_NoNumber":
        """The one of this name."""
        found = cls(name)
        found.name = name
        return found


def _refuse_what_json_has_not(record: _Object, columns: list[str], where: str) -> None:
    """Refuse keys given twice and numbers that are none, in what is read of a line; the rest may hold what it likes."""
    if twice := record.twice & set(columns):
        raise UserError(f"{where}: the key {min(twice)!r} appears twice in one object; take one out")
    left = [record[name] for name in columns]
    while left:
        value = left.pop()
        if isinstance(value, _NoNumber):
            raise UserError(f"{where}: {value.name} is no JSON; write a number, null or a text in quotes")
        if isinstance(value, _Object):
            if value.twice:
                raise UserError(f"{where}: the key {min(value.twice)!r} appears twice in one object; take one out")
            left += value.values()
        elif isinstance(value, list):
            left += value


def _parquet(path: Path, spec: dict) -> Iterator[rows.Record]:
    with readable(path, remedy="save it as Parquet again, or as JSONL"):
        file = pq.ParquetFile(path)
        columns = rows.columns_read(str(path), file.schema_arrow.names, spec)
        yield from rows.table_records(str(path), file.iter_batches(columns=columns))

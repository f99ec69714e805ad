"""Tasks from a user's own file: JSONL or Parquet, told by the suffix."""

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from clearminds.errors import UserError
from clearminds.files.reading import readable
from clearminds.files.user_path import require_file, user_path
from clearminds.plugins.task_kinds import rows

SUFFIXES = (".jsonl", ".parquet")


def load(spec: dict, split: str) -> list[dict]:
    """The rows of one split's file, as rows of `contracts.EXAMPLES`.

    Args:
        spec: `splits` (name to a path, or to `path` and `limit`, how many rows to read), `columns` (see
            `rows.columns_of`) and `prompt_only` (responses may be missing).
        split: a key of `splits`.

    Raises:
        UserError: the file is missing, empty, damaged, or of another suffix; or a row is bad. Names file and row: the
            line of a JSONL file, counted from 1, or the row of a Parquet file, counted from 0.
    """
    path = path_of(spec, split)
    if path.suffix not in SUFFIXES:
        raise UserError(f"{path}: suffix {path.suffix!r} is not supported; allowed: {', '.join(SUFFIXES)}")
    require_file(path)
    columns = rows.columns_of(spec)
    records = _json_lines(path, columns) if path.suffix == ".jsonl" else _parquet(path, columns)
    return rows.examples(str(path), itertools.islice(records, _entry(spec, split).get("limit")), spec, split)


def check(spec: dict, split: str) -> None:
    """Refuse what `load` refuses, as far as the columns and the first row of a JSONL file tell. Args: as of `load`."""
    path = path_of(spec, split)
    if path.suffix != ".parquet":
        load({**spec, "splits": {split: {"path": _entry(spec, split)["path"], "limit": 1}}}, split)
        return
    require_file(path)  # whose rows come by the ten thousand
    with readable(path, remedy="save it as Parquet again, or as JSONL"):
        rows.require_columns(str(path), pq.read_schema(path).names, rows.columns_of(spec))


def path_of(spec: dict, split: str) -> Path:
    """The file of a split. Raises: as `user_path`."""
    return user_path(_entry(spec, split)["path"])


def _entry(spec: dict, split: str) -> dict:
    entry = spec["splits"][split]
    return {"path": entry} if isinstance(entry, str) else entry


def _json_lines(path: Path, columns: dict[str, str]) -> Iterator[rows.Record]:
    with open(path, "rb") as lines:  # bytes, so that a line that is not UTF-8 can be named
        for number, line in enumerate(lines, 1):
            where = f"{path} line {number}"
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip()
                record = _parsed(text) if text else None
            except UnicodeDecodeError as error:
                raise UserError(f"{where}: not valid UTF-8 ({error.reason}); save the file as UTF-8") from error
            except json.JSONDecodeError as error:
                raise UserError(f"{where}: not valid JSON ({error.msg} at character {error.colno})") from error
            except (ValueError, RecursionError) as error:  # a number of thousands of digits, or a thousand brackets
                raise UserError(f"{where}: not readable JSON ({error}); fix the line or take it out") from error
            if not text:
                continue
            if not isinstance(record, _Object):
                raise UserError(f"{where}: a line must be a JSON object; found {type(record).__name__}")
            rows.require_columns(where, record, columns)
            _refuse_what_json_has_not(record, columns, where)
            yield where, record


def _parsed(text: str) -> object:
    return json.loads(text, object_pairs_hook=_Object, parse_constant=_NoNumber.of)


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


def _refuse_what_json_has_not(record: _Object, columns: dict[str, str], where: str) -> None:
    """Refuse keys given twice and numbers that are none, in what is read of a line; the rest may hold what it likes."""
    if twice := record.twice & set(columns.values()):
        raise UserError(f"{where}: the key {min(twice)!r} appears twice in one object; take one out")
    left = [record[name] for name in columns.values()]
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


def _parquet(path: Path, columns: dict[str, str]) -> Iterator[rows.Record]:
    with readable(path, remedy="save it as Parquet again, or as JSONL"):
        file = pq.ParquetFile(path)
        rows.require_columns(str(path), file.schema_arrow.names, columns)
        yield from rows.table_records(str(path), file.iter_batches(columns=list(columns.values())))

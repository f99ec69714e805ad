"""From the rows of a user's data to rows of `contracts.EXAMPLES`; what the kinds `file` and `hub` share.

A row is a conversation (column `messages`, as chat templates take it, contents as text or as a list of text parts), a
pair (`prompt` and `response`), or whatever a `template:` makes an example of. Every error names the row.
"""

import json
from collections.abc import Iterable, Iterator

import pyarrow as pa

from clearminds.errors import UserError
from clearminds.plugins.task_kinds.checked import encodable, text_of, turns_of
from clearminds.plugins.task_kinds.templates import Template, database_file, template_of

MAY_BE_EMPTY = ("setup", "origin", "id")  # parts of a template that some rows of a data set lack
COLUMNS = ("messages", "prompt", "response", "answer", "id")

Record = tuple[str, dict]  # where it is, in words for an error message, and its columns by name


def columns_of(spec: dict) -> dict[str, str]:
    """What each column is called in the data, by its role, one of `COLUMNS`; only "messages" where nothing is said.

    Raises:
        UserError: unknown roles, or neither a conversation nor a pair.
    """
    named = {role: name for role, name in (spec.get("columns") or {}).items() if name is not None}
    columns = named or {"messages": "messages"}
    if unknown := set(columns) - set(COLUMNS):
        raise UserError(f"columns: {', '.join(sorted(unknown))} is not allowed; allowed: {', '.join(COLUMNS)}")
    texts = columns.keys() & {"messages", "prompt", "response"}
    allowed = [{"messages"}, {"prompt", "response"}, *([{"prompt"}] if spec.get("prompt_only") else [])]
    if texts not in allowed:
        raise UserError(f"columns: name either messages, or prompt and response; found: {', '.join(columns)}")
    return columns


def require_columns(where: str, found: Iterable[str], columns: dict[str, str]) -> None:
    """Check that the data have the columns that the config names."""
    found = list(found)
    if missing := [name for name in columns.values() if name not in found]:
        raise UserError(f"{where}: no column {', '.join(map(repr, missing))}; found: {', '.join(found)}")


def columns_read(where: str, found: Iterable[str], spec: dict) -> list[str]:
    """The columns that a task reads of the data, by a template or by their names.

    Args:
        where: the data, or a row of them.
        found: the columns that are there.
        spec: `template`, or `columns` as in `columns_of`.

    Raises:
        UserError: one that is needed is not there.
    """
    if template := template_of(spec):
        return template.columns(where, found)
    columns = columns_of(spec)
    require_columns(where, found, columns)
    return list(columns.values())


def table_records(source: str, tables: Iterable[pa.RecordBatch | pa.Table]) -> Iterator[Record]:
    """The rows of Arrow tables one by one, counted from 0."""
    start = 0
    for table in tables:
        try:
            rows = table.to_pylist()
        except UnicodeDecodeError:
            rows = [_decoded(table.slice(index, 1), f"{source} row {start + index}") for index in range(table.num_rows)]
        for index, row in enumerate(rows):
            yield f"{source} row {start + index}", row
        start += table.num_rows


def _decoded(row: pa.RecordBatch | pa.Table, where: str) -> dict:
    try:
        return row.to_pylist()[0]
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: not valid UTF-8 ({error.reason}); save the data as UTF-8") from error


def examples(source: str, records: Iterable[Record], spec: dict, split: str) -> list[dict]:
    """Rows of `contracts.EXAMPLES`, in the order of the records.

    Args:
        source: what the records are read from, for error messages.
        records: see `Record`; every record has the columns that `spec` names.
        spec: `template`, or `columns` as in `columns_of` and `prompt_only` where responses may be missing.
        split: part of every example's id, "train-00012" or "train-ID", so that ids are unique in the task.

    Raises:
        UserError: no records; a text that is missing, empty or not text; messages that chat templates refuse; an id
            that appears twice.
    """
    template = template_of(spec)
    columns = {} if template else columns_of(spec)
    found: dict[str, str] = {}
    result = []
    for position, (where, record) in enumerate(records):
        if template:
            name, example = _rendered(where, record, template, spec)
        else:
            name = _id(where, record[columns["id"]]) if "id" in columns else None
            example = _example(where, record, columns, bool(spec.get("prompt_only")))
        name = f"{position:05}" if name is None else name
        if name in found:
            raise UserError(f"{where}: id {name!r} is already in {found[name]}; ids must be unique")
        found[name] = where
        result.append({"example_id": f"{split}-{name}", **example})
    if not result:
        raise UserError(f"{source}: holds no rows")
    return result


def _example(where: str, record: dict, columns: dict[str, str], prompt_only: bool) -> dict:
    messages, reference = _conversation(where, record, columns, prompt_only)
    answer = _answer(where, record[columns["answer"]]) if "answer" in columns else ""
    return {"messages": messages, "reference": reference, "answer": answer, "meta": "{}"}


def _rendered(where: str, record: dict, template: Template, spec: dict) -> tuple[str | None, dict]:
    """Id (None where the template has none) and parts of an example that a template makes."""
    parts = template.render(where, record)
    made = {key: value for key, value in parts.items() if isinstance(value, str)}
    texts = {key: text_of(where, key, value) for key, value in made.items() if value.strip() or key not in MAY_BE_EMPTY}
    meta: dict[str, object] = {key: parts[key] for key in ("choices", "labels", "gold") if key in parts}
    meta |= {key: texts[key] for key in ("tests", "setup", "entry_point", "origin") if key in texts}
    if "database" in texts:
        meta["database"] = str(database_file(spec.get("databases"), texts["database"]))
    answer = texts.get("answer", parts["labels"][parts["gold"]] if "gold" in parts else "")
    return texts.get("id"), {
        "messages": [{"role": "user", "content": texts["prompt"]}],
        "reference": texts.get("response", ""),
        "answer": answer,
        "meta": encodable(where, "meta", json.dumps(meta, ensure_ascii=False)),
    }


def _conversation(where: str, record: dict, columns: dict[str, str], prompt_only: bool) -> tuple[list[dict], str]:
    """The prompt's turns and the reference, which is "" where a prompt alone will do."""
    if "messages" in columns:
        turns = turns_of(where, record[columns["messages"]])
        if turns[-1]["role"] == "assistant":
            return turns[:-1], turns[-1]["content"]
        if not prompt_only:
            raise UserError(f"{where}: empty response: the last message is a user's; end with an assistant's message")
        return turns, ""
    turns = [{"role": "user", "content": text_of(where, "prompt", record[columns["prompt"]])}]
    response = record[columns["response"]] if "response" in columns else None
    if prompt_only and not response:
        return turns, ""
    return turns, text_of(where, "response", response)


def _answer(where: str, value: object) -> str:
    """Text as it is; anything else, such as a number or a list of tests, as JSON."""
    if isinstance(value, str):
        return text_of(where, "answer", value)
    if value is None:
        raise UserError(f"{where}: empty answer; fill it in or take the row out")
    try:
        return encodable(where, "answer", json.dumps(value, ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: answer is neither text nor JSON ({error})") from error


def _id(where: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise UserError(f"{where}: id must be text or a whole number; found {value!r}")
    return text_of(where, "id", str(value))

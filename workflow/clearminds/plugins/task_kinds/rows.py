"""From the rows of a user's data to rows of `contracts.EXAMPLES`; what the kinds `file` and `hub` share.

A row is either a conversation (column `messages`, as chat templates take it, contents as text or as a list of text
parts) or a pair (`prompt` and `response`). Every
error names the row.
"""

import json
from collections.abc import Iterable, Iterator

import pyarrow as pa

from clearminds.errors import UserError

COLUMNS = ("messages", "prompt", "response", "answer", "id")
ROLES = ("system", "user", "assistant")
TOOL_ROLES = ("tool", "function")
TOOL_KEYS = ("tool_calls", "function_call")

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
        spec: `columns` as in `columns_of`, and `prompt_only` where responses may be missing.
        split: part of every example's id, "train-00012" or "train-ID", so that ids are unique in the task.

    Raises:
        UserError: no records; a text that is missing, empty or not text; messages that chat templates refuse; an id
            that appears twice.
    """
    columns = columns_of(spec)
    found: dict[str, str] = {}
    result = []
    for position, (where, record) in enumerate(records):
        name = _id(where, record[columns["id"]]) if "id" in columns else f"{position:05}"
        if name in found:
            raise UserError(f"{where}: id {name!r} is already in {found[name]}; ids must be unique")
        found[name] = where
        messages, reference = _conversation(where, record, columns, bool(spec.get("prompt_only")))
        answer = _answer(where, record[columns["answer"]]) if "answer" in columns else ""
        texts = {"messages": messages, "reference": reference, "answer": answer}
        result.append({"example_id": f"{split}-{name}", **texts, "meta": "{}"})
    if not result:
        raise UserError(f"{source}: holds no rows")
    return result


def _conversation(where: str, record: dict, columns: dict[str, str], prompt_only: bool) -> tuple[list[dict], str]:
    """The prompt's turns and the reference, which is "" where a prompt alone will do."""
    if "messages" in columns:
        turns = _turns(where, record[columns["messages"]])
        if turns[-1]["role"] == "assistant":
            return turns[:-1], turns[-1]["content"]
        if not prompt_only:
            raise UserError(f"{where}: empty response: the last message is a user's; end with an assistant's message")
        return turns, ""
    turns = [{"role": "user", "content": _text(where, "prompt", record[columns["prompt"]])}]
    response = record[columns["response"]] if "response" in columns else None
    if prompt_only and not response:
        return turns, ""
    return turns, _text(where, "response", response)


def _turns(where: str, messages: object) -> list[dict]:
    """A checked conversation: a system turn or none, then user and assistant in turn, the user first."""
    if not isinstance(messages, list) or not all(isinstance(turn, dict) for turn in messages):
        raise UserError(f"{where}: messages must be a list of objects with role and content")
    for number, turn in enumerate(messages, 1):
        _refuse_tools(f"{where}: message {number}", turn)
        if not {"role", "content"} <= turn.keys():
            raise UserError(f"{where}: message {number} must have role and content; found: {', '.join(map(str, turn))}")
        if turn["role"] not in ROLES:
            raise UserError(f"{where}: message {number} has role {turn['role']!r}; allowed: {', '.join(ROLES)}")
    turns = [
        {"role": turn["role"], "content": _content(where, f"message {number}", turn["content"])}
        for number, turn in enumerate(messages, 1)
    ]
    roles = [turn["role"] for turn in turns]
    spoken = roles[1:] if roles[:1] == ["system"] else roles
    if not spoken or spoken != [("user", "assistant")[number % 2] for number in range(len(spoken))]:
        raise UserError(
            f"{where}: messages must be a system turn or none, then user and assistant in turn; found: "
            f"{', '.join(roles) or 'nothing'}"
        )
    return turns


def _refuse_tools(which: str, turn: dict) -> None:
    call = next((key for key in TOOL_KEYS if turn.get(key)), None)
    if call or turn.get("role") in TOOL_ROLES:
        found = f"has {call}" if call else f"has role {turn['role']!r}"
        raise UserError(
            f"{which} {found}: tool calls are not supported; take such rows out, or write the calls into content"
        )


def _content(where: str, what: str, value: object) -> str:
    """A message's text; that of a list of parts is theirs one after the other, as chat templates write them."""
    return _text(where, what, "".join(_part(where, what, part) for part in value) if isinstance(value, list) else value)


def _part(where: str, what: str, part: object) -> str:
    kind = part.get("type") if isinstance(part, dict) else type(part).__name__
    if not isinstance(part, dict) or kind != "text":
        raise UserError(
            f"{where}: {what} has a part of type {kind!r}; allowed: parts of type 'text'; take it or the row out"
        )
    if not isinstance(part.get("text"), str):
        raise UserError(f"{where}: {what} has a part of type 'text' without a text; take it out")
    return part["text"]


def _text(where: str, what: str, value: object) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise UserError(f"{where}: empty {what}; fill it in or take the row out")
    if not isinstance(value, str):
        raise UserError(f"{where}: {what} must be text; found {type(value).__name__}")
    return _encodable(where, what, value)


def _answer(where: str, value: object) -> str:
    """Text as it is; anything else, such as a number or a list of tests, as JSON."""
    if isinstance(value, str):
        return _text(where, "answer", value)
    if value is None:
        raise UserError(f"{where}: empty answer; fill it in or take the row out")
    try:
        return _encodable(where, "answer", json.dumps(value, ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: answer is neither text nor JSON ({error})") from error


def _encodable(where: str, what: str, text: str) -> str:
    """JSON can hold half a character (a lone surrogate, "\\ud83d"), which no file of ours could store."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(f"{where}: {what} is not valid Unicode ({error.reason}); fix the text") from error
    return text


def _id(where: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise UserError(f"{where}: id must be text or a whole number; found {value!r}")
    return _text(where, "id", str(value))

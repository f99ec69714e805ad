"""Tasks from the user's own files: what they may hold, and how bad rows are named."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from task_rows import CHAT, PAIR

from clearminds.errors import UserError
from clearminds.plugins.task_kinds import file


def file_spec(path: Path, columns: dict | None = None, **keys) -> dict:
    return {"kind": "file", "splits": {"train": str(path)}, "columns": columns or PAIR, **keys}


def write(path: Path, *lines: object) -> Path:
    """Lines of JSONL: bytes as they are, anything else as JSON."""
    path.write_bytes(
        b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    )
    return path


GOOD = {"question": "q", "reply": "r"}


def test_pairs_from_jsonl(tmp_path):
    path = write(
        tmp_path / "a.jsonl",
        b'\xef\xbb\xbf{"question": "q1", "reply": " r1\\r\\n", "n": 4, "key": 9}',
        b"",
        {**GOOD, "n": [1, "é"], "key": "x"},
    )
    rows = file.load(file_spec(path, {**PAIR, "answer": "n", "id": "key", "messages": None}), "train")
    assert rows == [
        {
            "example_id": "train-9",
            "messages": [{"role": "user", "content": "q1"}],
            "reference": " r1\r\n",
            "answer": "4",
            "meta": "{}",
        },
        {
            "example_id": "train-x",
            "messages": [{"role": "user", "content": "q"}],
            "reference": "r",
            "answer": '[1, "é"]',
            "meta": "{}",
        },
    ]


def test_conversations_from_jsonl_and_parquet(tmp_path):
    longer = [*CHAT, {"role": "user", "content": "v"}, {"role": "assistant", "content": "b"}]
    lines = [{"messages": CHAT}, {"messages": longer}]
    pq.write_table(pa.Table.from_pylist(lines), tmp_path / "a.parquet")
    rows = file.load({"splits": {"train": str(write(tmp_path / "a.jsonl", *lines))}}, "train")
    assert [row["reference"] for row in rows] == ["a", "b"]
    assert [row["messages"] for row in rows] == [CHAT[:-1], longer[:-1]]
    assert [row["example_id"] for row in rows] == ["train-00000", "train-00001"]
    no_columns_named = {"messages": None, "prompt": None, "response": None, "answer": None, "id": None}
    assert file.load(file_spec(tmp_path / "a.parquet", no_columns_named), "train") == rows


def test_limit(tmp_path):
    path = write(tmp_path / "a.jsonl", GOOD, GOOD, b"never read")
    spec = {
        "columns": PAIR,
        "splits": {"train": {"path": str(path), "limit": 2}, "test": {"path": str(path), "limit": None}},
    }
    assert len(file.load(spec, "train")) == 2
    with pytest.raises(UserError, match="line 3: not valid JSON"):
        file.load(spec, "test")


def test_prompts_alone(tmp_path):
    path = write(tmp_path / "a.jsonl", {"question": "q", "reply": None}, GOOD)
    assert [row["reference"] for row in file.load(file_spec(path, prompt_only=True), "train")] == ["", "r"]
    assert len(file.load(file_spec(path, {"prompt": "question"}, prompt_only=True), "train")) == 2
    path = write(tmp_path / "b.jsonl", {"messages": CHAT[:2]})
    spec = file_spec(path, {"messages": "messages"})
    assert file.load({**spec, "prompt_only": True}, "train")[0]["messages"] == CHAT[:2]
    with pytest.raises(UserError, match=r"b.jsonl line 1: empty response: the last message is a user's"):
        file.load(spec, "train")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"question": "q", "answer": "r"}, "no column 'reply'; found: question, answer"),
        ({"question": "q", "reply": ""}, "empty response"),
        ({"question": "q", "reply": " \n"}, "empty response"),
        ({"question": "q", "reply": None}, "empty response"),
        ({"question": "", "reply": "r"}, "empty prompt"),
        ({"question": "q", "reply": 4}, "response must be text; found int"),
        ({"question": "q", "reply": "half \ud83d"}, "response is not valid Unicode"),
        (b'{"question": "caf\xe9", "reply": "r"}', "not valid UTF-8"),
        (b'{"question": "q", "reply": "r"', r"not valid JSON \(.* at character 31\)"),
        (b'["q", "r"]', "a line must be a JSON object; found list"),
    ],
)
def test_bad_lines_are_named(tmp_path, bad, message):
    path = write(tmp_path / "a.jsonl", GOOD, bad, GOOD)
    with pytest.raises(UserError, match=rf"^{path} line 2: {message}"):
        file.load(file_spec(path), "train")


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ("hello", "messages must be a list of objects"),
        (["hello"], "messages must be a list of objects"),
        ([], "messages must be a system turn or none, then user and assistant in turn; found: nothing"),
        ([{"from": "human", "value": "u"}], "message 1 must have role and content; found: from, value"),
        ([*CHAT, {"role": "tool", "content": "t"}], "message 4 has role 'tool'; allowed: system, user, assistant"),
        ([CHAT[1], {"role": ["assistant"], "content": "t"}], "message 2 has role"),
        ([CHAT[1], {"role": "assistant", "content": " "}], "empty message 2"),
        ([CHAT[1], {"role": "assistant", "content": [{"type": "text"}]}], "message 2 must be text; found list"),
        ([CHAT[2]], "messages must be .*; found: assistant"),
        ([CHAT[0]], "messages must be .*; found: system"),
        ([CHAT[1], CHAT[1], CHAT[2]], "messages must be .*; found: user, user, assistant"),
        ([CHAT[1], CHAT[0], CHAT[2]], "messages must be .*; found: user, system, assistant"),
    ],
)
def test_ill_formed_messages_are_named(tmp_path, messages, message):
    path = write(tmp_path / "a.jsonl", {"messages": CHAT}, {"messages": messages})
    with pytest.raises(UserError, match=rf"^{path} line 2: {message}"):
        file.load(file_spec(path, {"messages": "messages"}), "train")


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"key": 1}, "id '1' is already in .*a.jsonl line 1; ids must be unique"),
        ({"key": "1"}, "id '1' is already"),
        ({"key": None}, "id must be text or a whole number; found None"),
        ({"key": 1.5}, "id must be text or a whole number; found 1.5"),
        ({"key": ""}, "empty id"),
        ({"key": 2, "n": None}, "empty answer"),
        ({"key": 2, "n": ""}, "empty answer"),
    ],
)
def test_bad_ids_and_answers_are_named(tmp_path, second, message):
    path = write(tmp_path / "a.jsonl", {**GOOD, "key": 1, "n": 4}, {**GOOD, "n": 5, **second})
    with pytest.raises(UserError, match=rf"^{path} line 2: {message}"):
        file.load(file_spec(path, {**PAIR, "id": "key", "answer": "n"}), "train")


def test_bad_parquet_rows_are_named(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"question": ["q", "q"], "reply": ["r", None]}), path)
    with pytest.raises(UserError, match=rf"^{path} row 1: empty response"):
        file.load(file_spec(path), "train")
    with pytest.raises(UserError, match=rf"^{path}: no column 'answer'; found: question, reply"):
        file.load(file_spec(path, {**PAIR, "answer": "answer"}), "train")
    latin1 = pa.array([b"good", b"caf\xe9"]).view(pa.string())
    pq.write_table(pa.table({"question": ["q", "q"], "reply": latin1}), path)
    with pytest.raises(UserError, match=rf"^{path} row 1: not valid UTF-8"):
        file.load(file_spec(path), "train")
    path.write_bytes(b"not Parquet")
    with pytest.raises(UserError, match=rf"^{path}: not a readable Parquet file"):
        file.load(file_spec(path), "train")


def test_bad_files_are_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.jsonl: no such file"):
        file.load(file_spec(tmp_path / "none.jsonl"), "train")
    with pytest.raises(UserError, match=r"a\.csv: suffix '\.csv' is not supported; allowed: \.jsonl, \.parquet"):
        file.load(file_spec(write(tmp_path / "a.csv")), "train")
    with pytest.raises(UserError, match=r"a\.jsonl: holds no rows"):
        file.load(file_spec(write(tmp_path / "a.jsonl", b"")), "train")
    pq.write_table(
        pa.table({"question": pa.array([], pa.string()), "reply": pa.array([], pa.string())}), tmp_path / "a.parquet"
    )
    with pytest.raises(UserError, match=r"a\.parquet: holds no rows"):
        file.load(file_spec(tmp_path / "a.parquet"), "train")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"prompts": "p"}, "columns: prompts is not allowed; allowed: messages, prompt, response, answer, id"),
        ({"prompt": "p"}, "name either messages, or prompt and response; found: prompt"),
        ({"messages": "m", "prompt": "p"}, "name either messages, or prompt and response; found: messages, prompt"),
        ({"answer": "a"}, "name either messages, or prompt and response; found: answer"),
    ],
)
def test_bad_column_names(tmp_path, columns, message):
    with pytest.raises(UserError, match=message):
        file.load(file_spec(write(tmp_path / "a.jsonl", GOOD), columns), "train")

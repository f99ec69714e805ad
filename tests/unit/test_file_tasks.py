"""Tasks from the user's own files: what they may hold, and how bad rows are named."""

import json
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from demo_study import demo
from task_rows import CHAT, PAIR

from clearminds.errors import UserError
from clearminds.plugins.task_kinds import file
from clearminds.run.specs import Specs


def file_spec(path: Path | str, columns: dict | None = None, **keys) -> dict:
    return {"kind": "file", "splits": {"train": str(path)}, "columns": columns or PAIR, **keys}


def write(path: Path, *lines: object) -> Path:
    """Lines of JSONL: bytes as they are, anything else as JSON."""
    path.write_bytes(
        b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    )
    return path


GOOD = {"question": "q", "reply": "r"}
HUGE = float("inf")  # what a JSON number beyond all floats is read as


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
        (b'{"question": "q", "reply": "r", "question": "p"}', "the key 'question' appears twice in one object"),
        (b'{"question": "q", "reply": [{"a": 1, "a": 1}]}', "the key 'a' appears twice in one object"),
        (b'{"question": "q", "reply": NaN}', "NaN is no JSON; write a number, null or"),
        (b'{"question": [-Infinity], "reply": "r"}', "-Infinity is no JSON"),
        (b'{"question": "q", "reply": "r", "n": ' + b"9" * 5000 + b"}", "not readable JSON"),
        (b"[" * 200_000, "not readable JSON"),
        ('{"question": "q", "reply": "r"}'.encode("utf-16"), "not valid UTF-8"),
    ],
)
def test_bad_lines_are_named(tmp_path, bad, message):
    path = write(tmp_path / "a.jsonl", GOOD, bad, GOOD)
    with pytest.raises(UserError, match=rf"^{path} line 2: {message}"):
        file.load(file_spec(path), "train")


def test_what_is_not_read_of_a_line_may_hold_what_it_likes(tmp_path):
    """As json.dump writes a metric that is missing, and as Parquet files may, whose other columns are not read."""
    line = b'{"question": "q", "reply": "r", "score": NaN, "score": -Infinity, "more": {"a": 1, "a": [NaN]}}'
    [row] = file.load(file_spec(write(tmp_path / "a.jsonl", line)), "train")
    assert row["reference"] == "r"


def said(content: object) -> dict:
    return {"role": "user", "content": content}


def test_text_parts_of_a_message_are_put_together(tmp_path):
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": ""}, {"type": "text", "text": "two\n"}]
    lines = [{"messages": [said(parts), {**CHAT[2], "content": parts[:1], "tool_calls": []}]}]
    pq.write_table(pa.Table.from_pylist(lines), tmp_path / "a.parquet")
    for path in (write(tmp_path / "a.jsonl", *lines), tmp_path / "a.parquet"):
        [row] = file.load(file_spec(path, {"messages": "messages"}), "train")
        assert row["messages"] == [said("one two\n")]
        assert row["reference"] == "one "


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ("hello", "messages must be a list of objects"),
        (["hello"], "messages must be a list of objects"),
        ([], "messages must be a system turn or none, then user and assistant in turn; found: nothing"),
        ([{"from": "human", "value": "u"}], "message 1 must have role and content; found: from, value"),
        ([*CHAT, {"role": "critic", "content": "t"}], "message 4 has role 'critic'; allowed: system, user, assistant"),
        ([*CHAT, {"role": "tool", "content": "t"}], "message 4 has role 'tool': tool calls are not supported; take"),
        ([CHAT[1], {"role": "assistant", "tool_calls": [{"id": 1}]}], "message 2 has tool_calls: tool calls are not"),
        (
            [CHAT[1], {"role": "assistant", "content": "", "function_call": {"name": "f"}}],
            "message 2 has function_call",
        ),
        ([said([{"type": "image", "url": "u"}]), CHAT[2]], "message 1 has a part of type 'image'; allowed: .*'text'"),
        ([said(["hello"]), CHAT[2]], "message 1 has a part of type 'str'; allowed"),
        ([said([{"text": "hello"}]), CHAT[2]], "message 1 has a part of type None; allowed"),
        ([said([]), CHAT[2]], "empty message 1"),
        ([said([{"type": "text", "text": " "}]), CHAT[2]], "empty message 1"),
        ([said(4), CHAT[2]], "message 1 must be text; found int"),
        ([CHAT[1], {"role": ["assistant"], "content": "t"}], "message 2 has role"),
        ([CHAT[1], {"role": "assistant", "content": " "}], "empty message 2"),
        (
            [CHAT[1], {"role": "assistant", "content": [{"type": "text"}]}],
            "message 2 has a part of type 'text' without a text",
        ),
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
        ({"key": 2, "n": HUGE}, "answer is neither text nor JSON"),
    ],
)
def test_bad_ids_and_answers_are_named(tmp_path, second, message):
    lines = json.dumps({**GOOD, "key": 1, "n": 4}), json.dumps({**GOOD, "n": 5, **second}).replace("Infinity", "1e999")
    path = write(tmp_path / "a.jsonl", *(line.encode() for line in lines))
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
    pq.write_table(pa.table({"question": ["q" * 999], "reply": ["r"]}), path, compression="zstd")
    whole = path.read_bytes()
    for damaged in (b"not Parquet", b"", whole[:-9], whole[:8] + b"\xff" * 40 + whole[48:]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=rf"^{path}: damaged, or no Parquet file \(.*\); save it as Parquet again"):
            file.load(file_spec(path), "train")


def test_bad_files_are_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.jsonl: no such file"):
        file.load(file_spec(tmp_path / "none.jsonl"), "train")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(UserError, match=r"folder\.jsonl: is a folder; name the file in it"):
        file.load(file_spec(tmp_path / "folder.jsonl"), "train")
    with pytest.raises(
        UserError, match=r"a\.csv: suffix '\.csv' is not supported; allowed: \.jsonl, \.json, \.parquet"
    ):
        file.load(file_spec(write(tmp_path / "a.csv")), "train")
    with pytest.raises(UserError, match=r"a\.jsonl: holds no rows"):
        file.load(file_spec(write(tmp_path / "a.jsonl", b"")), "train")
    pq.write_table(
        pa.table({"question": pa.array([], pa.string()), "reply": pa.array([], pa.string())}), tmp_path / "a.parquet"
    )
    with pytest.raises(UserError, match=r"a\.parquet: holds no rows"):
        file.load(file_spec(tmp_path / "a.parquet"), "train")


@pytest.mark.parametrize("text", ["~/a.jsonl", "$DATA/a.jsonl", "${DATA}/a.jsonl"])
def test_homes_and_variables_are_filled_in_for_the_stage_and_for_snakemake(tmp_path, monkeypatch, text):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DATA", str(tmp_path))
    write(tmp_path / "a.jsonl", GOOD)
    assert len(file.load(file_spec(text), "train")) == 1
    task = {
        "kind": "file",
        "splits": {"train": {"path": text}, "test": text},
        "columns": PAIR,
        "verifier": "unverified",
    }
    task["evaluate"] = "likelihood"
    study = demo({"tasks/sums": task})
    for split in ("train", "test"):
        assert Specs(study).inputs.task_file(SimpleNamespace(task="sums", split=split)) == [str(tmp_path / "a.jsonl")]


def test_a_variable_that_is_not_set_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("NOWHERE", raising=False)
    with pytest.raises(UserError, match=r"^\$\{NOWHERE\}/a\.jsonl: the environment variable NOWHERE is not set"):
        file.load(file_spec("${NOWHERE}/a.jsonl"), "train")
    with pytest.raises(UserError, match="NOWHERE is not set"):  # before anything runs
        Specs(demo({"tasks/mine": {"kind": "file", "splits": {"test": "$NOWHERE/a.jsonl"}, "columns": PAIR}}))
    assert len(file.load(file_spec(write(tmp_path / "a$NOWHERE.jsonl", GOOD)), "train")) == 1


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

"""Kinds of tasks: what each one loads, and how it names bad input."""

import json
import os
import re
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import reasoning_gym

from clearminds import task_kinds
from clearminds.errors import UserError
from clearminds.task_kinds import everyday_prompts, file, human_eval
from clearminds.task_kinds import reasoning_gym as generators

WORKFLOW = Path(task_kinds.__file__).parents[2]


def questions(rows: list[dict]) -> list[str]:
    return [row["messages"][0]["content"] for row in rows]


@pytest.mark.parametrize("kind", ["everyday_prompts", "file", "hub", "human_eval", "reasoning_gym"])
def test_every_kind_loads_without_torch(kind):
    script = (
        f"import sys; from clearminds import task_kinds; task_kinds.load({kind!r}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONPATH": str(WORKFLOW)})


@pytest.mark.parametrize("kind", ["rows", "csv", "file.load", ""])
def test_unknown_kind(kind):
    with pytest.raises(UserError, match=r"allowed: everyday_prompts, file, hub, human_eval, reasoning_gym$"):
        task_kinds.load(kind)


# --- reasoning_gym ----------------------------------------------------------------------------------------------------

SUMS = {
    "kind": "reasoning_gym",
    "generator": "chain_sum",
    "parameters": {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 2},
    "splits": {"train": 160, "validation": 48, "test": 96},
    "seed": 7,
}


def numbers_of(row: dict) -> tuple[int, ...]:
    """The operands of a sum, read from the question and so by another way than the code's."""
    return tuple(sorted(int(number) for number in re.findall(r"\d+", row["messages"][0]["content"])))


def test_splits_share_no_operands():
    found = {split: generators.load(SUMS, split) for split in SUMS["splits"]}
    assert {split: len(rows) for split, rows in found.items()} == SUMS["splits"]
    operands = {split: {numbers_of(row) for row in rows} for split, rows in found.items()}
    assert not operands["train"] & operands["test"]
    assert not operands["train"] & operands["validation"]
    assert not operands["validation"] & operands["test"]
    assert all(len(set(questions(rows))) == len(rows) for rows in found.values())


def test_splits_share_no_operands_across_seeds():
    train = {numbers_of(row) for row in generators.load(SUMS, "train")}
    test = {numbers_of(row) for row in generators.load({**SUMS, "seed": 1000}, "test")}
    assert not train & test


def test_growing_a_split_only_appends():
    larger = {**SUMS, "splits": {"train": 500, "validation": 48, "test": 96}}
    assert generators.load(larger, "train")[:160] == generators.load(SUMS, "train")
    assert generators.load(larger, "test") == generators.load(SUMS, "test")


def test_size_of_another_split_does_not_matter():
    alone = {**SUMS, "splits": {"train": None, "validation": None, "test": 96}}
    assert generators.load(alone, "test") == generators.load(SUMS, "test")


def test_growing_beyond_a_block_only_appends(monkeypatch):
    spec = {"generator": "gsm_symbolic", "splits": {"test": 30}, "seed": 7}
    monkeypatch.setattr(generators, "BLOCK", 20)
    first = generators.load(spec, "test")
    assert generators.load({**spec, "splits": {"test": 50}}, "test")[:30] == first


def test_shares_of_the_splits():
    items = [{"question": f"q{number}", "metadata": {}} for number in range(4000)]
    counts = Counter(generators.split_of(item, {"train": 1, "test": 1}) for item in items)
    assert counts["train"] / 4000 == pytest.approx(60 / 85, abs=0.03)
    counts = Counter(generators.split_of(item, SUMS["splits"]) for item in items)
    assert counts["validation"] / 4000 == pytest.approx(0.15, abs=0.03)


@pytest.mark.parametrize(
    ("metadata", "operands"),
    [
        ({"expression": "58 + 26 - 58"}, ["26", "58", "58"]),
        ({"expression": "-58 - -26"}, ["26", "58"]),
        ({"expression": "0.5 + 12.25"}, ["0.5", "12.25"]),
        ({"numbers": [12, 8]}, ["12", "8"]),
        ({"numbers": 3}, ["how much?"]),
        ({"expression": "A + B"}, ["how much?"]),
        ({}, ["how much?"]),
    ],
)
def test_operands(metadata, operands):
    assert generators.operands({"question": "how much?", "metadata": metadata}) == operands


def test_split_is_stable():
    """Pinned: another hash would move every example of every study to another split."""
    items = [{"question": "", "metadata": {"expression": f"{a} + 1"}} for a in range(12)]
    assert "".join(generators.split_of(item, SUMS["splits"])[1] for item in items) == "arrararrrrrr"


def test_ids_and_verification():
    row = generators.load(SUMS, "train")[12]
    assert row["example_id"] == "train-00012"
    assert row["reference"] == row["answer"]
    meta = json.loads(row["meta"])
    assert (meta["generator"], meta["parameters"]) == ("chain_sum", SUMS["parameters"])
    assert meta["entry"]["question"] == questions([row])[0]
    dataset = reasoning_gym.create_dataset(meta["generator"], **meta["parameters"])
    assert dataset.score_answer(row["answer"], meta["entry"]) == 1
    assert dataset.score_answer("-1", meta["entry"]) < 1


def test_products_of_one_digit():
    parameters = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}
    rows = generators.load(
        {"generator": "products", "parameters": parameters, "splits": {"test": 96}, "seed": 7}, "test"
    )
    assert len(set(questions(rows))) == 96


def test_gcd_of_small_numbers():
    rows = generators.load(
        {"generator": "gcd", "parameters": {"max_value": 30}, "splits": {"test": 96}, "seed": 7}, "test"
    )
    assert len(set(questions(rows))) == 96


def test_reference_from_the_metadata():
    rows = generators.load(
        {"generator": "gsm_symbolic", "splits": {"test": 96}, "seed": 7, "reference": "answer_cot"}, "test"
    )
    assert len(rows) == 96
    assert all(f"#### {row['answer']}" in row["reference"] for row in rows)


def test_worded_references_are_stable_and_varied():
    spec = {**SUMS, "reference": "wordings"}
    rows = generators.load(spec, "train")
    assert rows == generators.load(spec, "train")
    assert all(re.findall(r"-?\d+", row["reference"])[-1] == row["answer"] for row in rows)
    assert len({re.sub(r"\d+", "N", row["reference"]) for row in rows}) > 8
    other = generators.load({**spec, "seed": 8}, "train")
    worded = {row["messages"][0]["content"]: row["reference"] for row in rows}
    again = [(worded[q], row["reference"]) for q, row in zip(questions(other), other, strict=True) if q in worded]
    assert any(before != after for before, after in again)


def test_worded_references_of_longer_and_negative_sums():
    parameters = {"min_terms": 3, "max_terms": 4, "max_digits": 2, "allow_negation": True}
    rows = generators.load(
        {**SUMS, "parameters": parameters, "reference": "wordings", "splits": {"train": 20}}, "train"
    )
    assert all(re.findall(r"-?\d+", row["reference"])[-1] == row["answer"] for row in rows)


def test_generator_without_a_single_answer():
    rows = generators.load({"generator": "rubiks_cube", "splits": {"test": 2}}, "test")
    assert [(row["answer"], row["reference"]) for row in rows] == [("", ""), ("", "")]


def test_too_few_distinct_items():
    parameters = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}
    spec = {"generator": "products", "parameters": parameters, "splits": {"test": 101}, "seed": 7}
    with pytest.raises(
        UserError, match="products has too few distinct items: 100 found, 101 asked for, nothing new in 20200"
    ):
        generators.load(spec, "test")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generator": "chain_sums"}, "reasoning-gym has no 'chain_sums'; nearest: chain_sum"),
        ({"parameters": {"min_term": 2}}, "min_term is not allowed for chain_sum; allowed: .*min_terms"),
        ({"parameters": {"seed": 2}}, "seed is not allowed for chain_sum"),
        ({"parameters": {"min_terms": -2}}, "chain_sum refuses .* min_terms must be positive"),
        ({"parameters": {"min_terms": "two"}}, "chain_sum refuses"),
        ({"splits": {"train": 1, "dev": 2}}, "splits: dev is not allowed; allowed: train, validation, test"),
        (
            {"reference": "answer_cot"},
            "'answer_cot' is not allowed for chain_sum; allowed: answer, wordings, .*expression",
        ),
        ({"generator": "gcd", "parameters": {}, "reference": "wordings"}, "no wordings for gcd"),
        ({"generator": "arc_agi", "parameters": {}}, "arc_agi cannot verify an answer from a stored entry"),
    ],
)
def test_bad_generator_settings(change, message):
    with pytest.raises(UserError, match=message):
        generators.load({**SUMS, **change}, "train")


# --- human_eval and everyday_prompts ----------------------------------------------------------------------------------


def test_human_eval():
    rows = human_eval.load({"splits": {"test": 164}}, "test")
    assert len({row["example_id"] for row in rows}) == 164
    first = rows[0]
    meta = json.loads(first["meta"])
    assert meta["entry_point"] == "has_close_elements"
    assert first["messages"][0]["content"].endswith(meta["prompt"])
    assert first["reference"].startswith("for idx")  # not indented: blanks would merge with a template's line break
    assert first["answer"] == ""
    body = textwrap.indent(first["reference"], "    ")
    program = f"{meta['prompt']}{body}\n{meta['test']}\ncheck({meta['entry_point']})"
    subprocess.run([sys.executable, "-I", "-c", program], check=True, timeout=20)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"test": 165}, "has 164 problems; 165 asked for"),
        ({"train": 9, "test": 9}, "split test only; found train, test"),
    ],
)
def test_human_eval_refuses(splits, message):
    with pytest.raises(UserError, match=message):
        human_eval.load({"splits": splits}, "test")


def test_everyday_prompts(tmp_path, monkeypatch):
    monkeypatch.setattr(everyday_prompts, "PROMPTS", tmp_path / "prompts.txt")
    (tmp_path / "prompts.txt").write_text("How do I boil an egg?\n\nName three rivers – any.\n", encoding="utf-8")
    rows = everyday_prompts.load({"splits": {"test": 2}}, "test")
    assert questions(rows) == ["How do I boil an egg?", "Name three rivers – any."]
    assert [row["example_id"] for row in rows] == ["test-00000", "test-00001"]
    assert {(row["reference"], row["answer"], row["meta"]) for row in rows} == {("", "", "{}")}
    with pytest.raises(UserError, match="there are 2 everyday prompts; 3 asked for"):
        everyday_prompts.load({"splits": {"test": 3}}, "test")
    with pytest.raises(UserError, match="it has one split; found train, test"):
        everyday_prompts.load({"splits": {"train": 1, "test": 1}}, "test")


@pytest.mark.skipif(not everyday_prompts.PROMPTS.is_file(), reason=f"{everyday_prompts.PROMPTS} is missing")
def test_everyday_prompts_of_the_project():
    rows = everyday_prompts.load({"splits": {"test": 10}}, "test")
    assert len(set(questions(rows))) == 10


# --- file -------------------------------------------------------------------------------------------------------------

PAIR = {"prompt": "question", "response": "reply"}
CHAT = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]


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
        ({"key": 1}, "id '1' stands already in .*a.jsonl line 1; ids must be unique"),
        ({"key": "1"}, "id '1' stands already"),
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


# --- hub --------------------------------------------------------------------------------------------------------------

COMMIT, OTHER = "a" * 40, "b" * 40
DATA = b'{"question": "q1", "reply": "r1"}\n{"question": "q2", "reply": ""}\n'
LOAD = """
import json, sys
from clearminds.errors import UserError
from clearminds.task_kinds import hub
for spec in json.loads(sys.argv[1]):
    try:
        print(json.dumps(hub.load(spec, "train")))
    except UserError as error:
        print(json.dumps(str(error)))
"""


class Hub(BaseHTTPRequestHandler):
    """Stands for the hub: the public data set me/data and the gated me/gated, each with the one file train.jsonl."""

    def do_GET(self):
        path = self.path.partition("?")[0]
        if not re.search("/me/(data|gated)/", path):
            self.answer(404, error="RepoNotFound")
        elif "/me/gated/" in path and self.headers["Authorization"] != "Bearer secret":
            self.answer(401, error="GatedRepo")
        elif OTHER in path:
            self.answer(404, error="RevisionNotFound")
        elif "/revision/" in path:
            self.answer(200, json.dumps({"id": "me/data", "sha": COMMIT, "siblings": []}).encode())
        elif path.endswith(f"/tree/{COMMIT}"):
            file = {"type": "file", "path": "train.jsonl", "size": len(DATA), "oid": "0" * 40}
            self.answer(200, json.dumps([file]).encode())
        elif path.endswith(f"/resolve/{COMMIT}/train.jsonl"):
            self.answer(200, DATA)
        else:
            self.answer(404, error="EntryNotFound")

    do_HEAD = do_GET

    def answer(self, status: int, body: bytes = b"", error: str = ""):
        self.send_response(status)
        headers = {"Content-Length": str(len(body)), "ETag": '"1"', "X-Repo-Commit": COMMIT, "X-Error-Code": error}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def load_from_hub(tmp_path_factory):
    """Loads specs in a process of its own (the address of the hub is read at import), all with one cache."""
    home = tmp_path_factory.mktemp("hf")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def load(*specs: dict, **environment: str) -> list:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        ours = {
            "PYTHONPATH": str(WORKFLOW),
            "HF_HOME": str(home),
            "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        }
        command = [sys.executable, "-c", LOAD, json.dumps(specs)]
        run = subprocess.run(command, env=kept | ours | environment, check=True, stdout=subprocess.PIPE, text=True)
        return [json.loads(line) for line in run.stdout.splitlines()]

    yield load
    server.shutdown()
    server.server_close()


def hub_spec(name: str = "me/data", part: str = "train[:1]", **keys) -> dict:
    splits = {"train": part, "test": None}
    return {"kind": "hub", "hub": name, "config": None, "revision": COMMIT, "splits": splits, "columns": PAIR, **keys}


def test_hub(load_from_hub):
    rows, bad_row, bad_split, bad_config, bad_column, no_data, bad_revision, gated = load_from_hub(
        hub_spec(),
        hub_spec(part="train"),
        hub_spec(part="dev"),
        hub_spec(config="german"),
        hub_spec(columns={"messages": "chat"}),
        hub_spec("me/none"),
        hub_spec(revision=OTHER),
        hub_spec("me/gated"),
    )
    assert [(questions([row]), row["reference"], row["example_id"]) for row in rows] == [(["q1"], "r1", "train-00000")]
    assert bad_row.startswith("me/data train row 1: empty response")
    assert re.match(
        r"hub: cannot load me/data: Unknown split \"dev\".*train.*check config, splits and revision", bad_split
    )
    assert re.match("hub: cannot load me/data: BuilderConfig 'german' not found. Available.*default", bad_config)
    assert bad_column == "me/data train[:1]: no column 'chat'; found: question, reply"
    assert re.match("hub: Dataset 'me/none' doesn't exist .* needs HF_TOKEN$", no_data)
    assert bad_revision.startswith(f"hub: Revision '{OTHER}' doesn't exist for dataset 'me/data'")
    assert re.match("hub: Dataset 'me/gated' is a gated dataset .* needs HF_TOKEN$", gated)
    assert all(
        "\n" not in error for error in (bad_row, bad_split, bad_config, bad_column, no_data, bad_revision, gated)
    )


def test_hub_with_token(load_from_hub):
    [rows] = load_from_hub(hub_spec("me/gated"), HF_TOKEN="secret")
    assert questions(rows) == ["q1"]


def test_hub_out_of_reach(load_from_hub):
    [online] = load_from_hub(hub_spec())
    cached, another, never_loaded = load_from_hub(
        hub_spec(), hub_spec(revision=OTHER), hub_spec("me/none"), HF_HUB_OFFLINE="1"
    )
    assert cached == online
    assert re.match(f"hub: out of reach, and the newest revision of me/data in the cache .* is not {OTHER}", another)
    assert re.match("hub: cannot load me/none: .* go online, or set HF_HOME .* and HF_HUB_OFFLINE=1$", never_loaded)


def test_folder_instead_of_the_hub(load_from_hub, tmp_path):
    folder = tmp_path / "chats"
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist([{"messages": CHAT, "key": 5}]), folder / "train.parquet")
    columns = {"messages": "messages", "id": "key"}
    [rows] = load_from_hub(hub_spec(str(folder), "train", revision=None, columns=columns))
    assert rows == [
        {"example_id": "train-5", "messages": CHAT[:2], "reference": "a", "answer": "", "meta": "{}"},
    ]

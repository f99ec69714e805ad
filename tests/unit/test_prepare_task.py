"""Stage prepare_task: normalised or untouched rows, their counts, and the checks."""

import json
from pathlib import Path

import pytest

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.contracts import EXAMPLES
from clearminds.files.tables import read_table, write_table
from clearminds.stages import prepare_task
from clearminds.stages.prepare_task import Settings

MBPP = Path(__file__).parents[3] / "shared" / "data" / "mbpp-train.parquet"


def prepare(task: str, spec: dict, split: str) -> tuple[list[dict], dict]:
    needed = spec.get("needs_reference", False)
    block = {key: value for key, value in spec.items() if key != "needs_reference"}
    return prepare_task.prepare(task, Settings(block, split, needed))


def file_spec(path: Path, *lines: dict, **keys) -> dict:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    columns = {"prompt": "prompt", "response": "response"}
    return {"kind": "file", "splits": {"train": str(path)}, "columns": columns, **keys}


def test_normalises_and_counts(tmp_path):
    lines = (
        {"prompt": "a\r\nb ", "response": "c"},
        {"prompt": "d", "response": " e\r\n"},
        {"prompt": "f", "response": "g"},
    )
    spec = file_spec(tmp_path / "data.jsonl", *lines)
    rows, counts = prepare("mine", spec, "train")
    assert [row["messages"][0]["content"] for row in rows] == ["a\nb", "d", "f"]
    assert [row["reference"] for row in rows] == ["c", " e", "g"]
    assert counts == {
        "examples": 3,
        "normalised": {"line_ends": 2, "trailing_blanks": 2},
        "normalised_characters": {"line_ends": 2, "trailing_blanks": 2},
    }


def test_leaves_texts_untouched_when_told_to(tmp_path):
    spec = file_spec(tmp_path / "data.jsonl", {"prompt": "a\r\nb ", "response": "c\n"}, normalise="none")
    rows, counts = prepare("mine", spec, "train")
    assert rows[0]["messages"][0]["content"] == "a\r\nb "
    assert rows[0]["reference"] == "c\n"
    assert counts == {"examples": 1, "normalised": {}, "normalised_characters": {}}


def test_rows_fit_the_contract(tmp_path):
    spec = {"kind": "reasoning_gym", "generator": "chain_sum", "splits": {"train": 5}, "seed": 7}
    rows, counts = prepare("sums", spec, "train")
    write_table(tmp_path / "train.parquet", rows, contracts.EXAMPLES, {"counts": counts})
    table = read_table(tmp_path / "train.parquet", contracts.EXAMPLES)
    assert table.schema.names == EXAMPLES.schema.names
    assert table.to_pylist() == rows


def test_errors_name_task_and_split():
    spec = {
        "kind": "reasoning_gym",
        "generator": "gcd",
        "parameters": {"max_value": 3},
        "splits": {"test": 50},
        "seed": 7,
    }
    with pytest.raises(UserError, match=r"^task gcd, split test: gcd has too few distinct items: \d found, 50 asked"):
        prepare("gcd", spec, "test")
    with pytest.raises(UserError, match="task gcd, split train: no such split; declared: test"):
        prepare("gcd", spec, "train")
    with pytest.raises(UserError, match="normalise: 'some' is not allowed; allowed: default, none"):
        prepare("gcd", {**spec, "normalise": "some"}, "test")
    with pytest.raises(UserError, match="task_kinds: 'csv' is not one of everyday_prompts, file, hub, human_eval"):
        prepare("gcd", {**spec, "kind": "csv"}, "test")


class Rows:
    """A kind of task that gives the rows it is told to."""

    def __init__(self, *rows: tuple[str, str, str]):
        self.rows = rows

    def load(self, spec: dict, split: str) -> list[dict]:
        return [
            {
                "example_id": name,
                "messages": [{"role": "user", "content": prompt}],
                "reference": reference,
                "answer": "",
                "meta": "{}",
            }
            for name, prompt, reference in self.rows
        ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "p", "r"), ("a", "q", "r")], "example a appears twice"),
        ([("a", " \n", "r")], "example a has an empty message"),
        ([("a", "\ufeff", "r")], "example a has an empty message"),
        ([("a", "p", " ")], "example a has no reference, but this split is trained on"),
    ],
)
def test_checks(monkeypatch, rows, message):
    monkeypatch.setattr(prepare_task, "load", lambda kind, name: Rows(*rows))
    with pytest.raises(UserError, match=message):
        prepare("mine", {"kind": "made_up", "splits": {"train": 2}, "needs_reference": True}, "train")


def test_reference_may_be_empty_where_none_is_needed(monkeypatch):
    monkeypatch.setattr(prepare_task, "load", lambda kind, name: Rows(("a", "p", "")))
    rows, _ = prepare("mine", {"kind": "made_up", "splits": {"test": 1}}, "test")
    assert rows[0]["reference"] == ""


@pytest.mark.skipif(not MBPP.is_file(), reason=f"needs the optional data file {MBPP}")
def test_mbpp_line_ends_are_normalised():
    columns = {"prompt": "text", "response": "code", "answer": "test_list", "id": "task_id"}
    spec = {"kind": "file", "splits": {"train": str(MBPP)}, "columns": columns, "needs_reference": True}
    rows, counts = prepare("mbpp", spec, "train")
    before, _ = prepare("mbpp", {**spec, "normalise": "none"}, "train")
    assert counts["examples"] == 374
    with_cr = sum("\r" in row["reference"] for row in before)
    assert counts["normalised"]["line_ends"] == with_cr > 300
    assert counts["normalised_characters"]["line_ends"] == sum(row["reference"].count("\r") for row in before)
    assert not any("\r" in row["reference"] for row in rows)
    assert any("\n    " in row["reference"] or "\n\t" in row["reference"] for row in rows)
    assert json.loads(rows[0]["answer"])[0].startswith("assert ")

"""Splits in folders: which files they are, in which order, and what is said where they are missing or doubtful."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from demo_study import demo

from clearminds.errors import UserError
from clearminds.plugins.task_kinds import file
from clearminds.plugins.task_kinds.split_files import files_of, rows_of
from clearminds.run.refusals.data_files import refuse_missing_data
from clearminds.run.specs import Specs

TEMPLATE = {"prompt": "{{ q }}", "id": "{{ q }}"}


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def found(folder: Path, part: str = "train", **keys: str) -> list[str]:
    return [str(file.relative_to(folder)) for file in files_of({"path": str(folder), "part": part, **keys})]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["mbpp-train.parquet", "gsm8k-train.parquet", "mbpp-test.parquet"], ["mbpp-train.parquet"]),
        (["train.jsonl", "test.jsonl"], ["train.jsonl"]),
        (
            ["full/train-00000-of-00001.parquet", "other/train-00000-of-00001.parquet"],
            ["full/train-00000-of-00001.parquet"],
        ),
        (
            ["data/train-00000-of-00001-d5781c9c51e02795.parquet"],
            ["data/train-00000-of-00001-d5781c9c51e02795.parquet"],
        ),
        (
            ["train-00001-of-00002.parquet", "train-00000-of-00002.parquet", "train2.parquet", "train.md"],
            ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"],
        ),
        (["train.json"], ["train.json"]),
    ],
)
def test_a_split_is_found_as_the_hub_lays_it_out_or_by_its_name(tmp_path, names, expected):
    assert found(touch(tmp_path, *names), name="mbpp", config="full") == expected
    assert found(tmp_path, "train[3:5]", name="mbpp", config="full") == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            [],
            "no file of split train; looked for train and mbpp-train as .*; found: no such file at all; name",
        ),
        (["mbpp-test.parquet"], r"no file of split train; .*; found: mbpp-test\.parquet; name the folder"),
        (["train.jsonl", "train.parquet"], r"split train is there more than once: train\.jsonl, train\.parquet; take"),
        (["train-00000-of-00002.parquet"], "split train has 2 files, of which 1 are there: .*; fetch the others"),
        (["train.parquet", "train-00000-of-00001.parquet"], "split train is there more than once"),
    ],
)
def test_what_is_missing_or_doubtful_is_named_with_what_is_there(tmp_path, names, message):
    with pytest.raises(UserError, match=f"^{re.escape(str(tmp_path))}: {message}"):
        found(touch(tmp_path, *names), name="mbpp")


def test_rows_of_a_split():
    assert rows_of("a.jsonl") == (0, None)
    assert rows_of({"path": "a", "part": "train"}) == (0, None)
    assert rows_of({"path": "a", "part": "train[:5]"}) == (0, 5)
    assert rows_of({"path": "a", "part": "train[5:]"}) == (5, None)
    assert rows_of({"path": "a", "part": "train[2:9]", "limit": 3}) == (2, 5)
    assert rows_of({"path": "a", "part": "train[2:4]", "limit": 3}) == (2, 4)


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet", "-lines.json"])
def test_shards_and_formats_give_the_same_rows(tmp_path, suffix):
    rows = [{"q": f"q{number}", "other": [{}]} for number in range(7)]
    for shard, part in enumerate((rows[:4], rows[4:])):
        path = tmp_path / f"train-0000{shard}-of-00002{suffix.removeprefix('-lines')}"
        if suffix == ".parquet":
            pq.write_table(pa.Table.from_pylist([{"q": row["q"]} for row in part]), path)
        elif suffix == ".json":
            path.write_text(json.dumps(part, indent=1))
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in part))
    spec = {"splits": {"train": {"path": str(tmp_path), "part": "train[2:6]"}}, "template": TEMPLATE}
    assert [row["example_id"] for row in file.load(spec, "train")] == [f"train-q{number}" for number in range(2, 6)]
    file.check(spec, "train")
    file.check({**spec, "splits": {"train": {"path": str(tmp_path), "part": "train[5:]"}}}, "train")  # of the second


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"q": "a"}, 3]', "item 2: a line must be a JSON object; found int"),
        ('[{"q": "a"},\n {"q": }]', r"not valid JSON \(.* at character 8 of line 2\)"),
        ('[{"q": "a", "q": "b"}]', "item 1: the key 'q' appears twice"),
        ("[]", "holds no rows"),
    ],
)
def test_bad_items_of_a_json_array_are_named(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserError, match=rf"^{re.escape(str(path))}:? {message}"):
        file.load({"splits": {"test": str(path)}, "template": TEMPLATE}, "test")


def test_a_split_that_is_not_used_need_not_be_there(tmp_path):
    (tmp_path / "gsm8k-test.parquet").touch()
    task = {"preset": "gsm8k", "path": str(tmp_path)}
    refuse_missing_data(Specs(demo({"tasks/x": task, "suites/x": ["x"]})))
    specs = Specs(demo({"tasks/x": task, "suites/x": ["x"], "targets": ["sums", "x"]}))
    with pytest.raises(UserError, match=r"^tasks: x: splits: train: .*: no file of split train; .*gsm8k-test\.parquet"):
        refuse_missing_data(specs)

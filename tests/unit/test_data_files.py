"""The data of a study that are not there, or not what it says."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from demo_study import demo

from clearminds.commands.tasks import make_database
from clearminds.config.presets import load_preset
from clearminds.errors import UserError
from clearminds.files.layout import Layout
from clearminds.run.refusals.data_files import refuse_missing_data, refuse_other_columns
from clearminds.run.specs import Specs
from clearminds.stages.prepare_task import Settings, prepare

TASKS = {
    "generated": SimpleNamespace(kind="gsm8k", splits={"test": 4}),
    "mine": SimpleNamespace(kind="file", splits={"train": "train.jsonl", "test": "/data/test.jsonl"}),
}


@pytest.fixture
def specs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return SimpleNamespace(
        study=SimpleNamespace(tasks=TASKS),
        layout=Layout.of("s"),
        inputs=SimpleNamespace(task_file=lambda wildcards: [TASKS[wildcards.task].splits[wildcards.split]]),
    )


def test_the_key_of_a_missing_file_is_named_and_the_others(specs, tmp_path):
    with pytest.raises(UserError) as refused:
        refuse_missing_data(specs)
    assert str(refused.value) == (
        f"tasks: mine: splits: train: there is no file train.jsonl in {tmp_path} (nor of tasks: mine: splits: test); "
        "put it there or correct the path, then run again"
    )


def test_data_are_not_needed_once_their_examples_are_made(specs):
    Path("train.jsonl").write_text("")
    with pytest.raises(UserError, match=r"splits: test: there is no file /data/test\.jsonl; put it there"):
        refuse_missing_data(specs)
    made = Path("results/s/examples/mine/test.parquet")
    made.parent.mkdir(parents=True)
    made.write_text("")
    refuse_missing_data(specs)


GOOD, OTHER = {"prompt": "1 + 1", "response": "2"}, {"prompt": "1 + 1", "reply": "2"}


def study_of(path: Path):
    """The demo with a task of one's own from this file."""
    task = {"kind": "file", "splits": {"test": str(path)}, "columns": {"prompt": "prompt", "response": "response"}}
    return demo({"tasks/mine": task})


def written(path: Path, rows: list[dict]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("a.jsonl", [OTHER], " line 1: no column 'response'; found: prompt, reply"),
        ("a.parquet", [OTHER], ": no column 'response'; found: prompt, reply"),
        ("a.csv", [GOOD], ": suffix '.csv' is not supported; allowed: .jsonl, .json, .parquet"),
        ("a.jsonl", [], ": holds no rows"),
        ("a.jsonl", [{"prompt": "1 + 1", "response": 2}], " line 1: response must be text; found int"),
    ],
)
def test_what_the_beginning_of_a_file_tells_is_said_in_the_words_of_its_stage(tmp_path, name, rows, message):
    study = study_of(path := written(tmp_path / name, rows))
    with pytest.raises(UserError) as early:
        refuse_other_columns(study, "mine", "test")
    spec = Specs(study).prepare_task(SimpleNamespace(task="mine", split="test"))
    with pytest.raises(UserError) as late:
        prepare("mine", Settings(**spec))
    assert str(early.value) == str(late.value) == f"task mine, split test: {path}{message}"


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_of_a_good_file_no_more_than_the_beginning_is_read(tmp_path, name):
    path = written(tmp_path / name, [GOOD, {**GOOD, "prompt": ""}])  # which its stage refuses
    refuse_other_columns(study_of(path), "mine", "test")
    refuse_other_columns(study_of(path), "gcd", "test")  # has no file


def test_bird_with_databases_for_each_split_is_planned_and_prepared_alike(tmp_path):
    preset = load_preset("bird")
    for name, tables in preset.schemas.items():
        make_database(tmp_path, name, tables)
    file = tmp_path / "dev.json"
    file.write_text(json.dumps([preset.example]))
    # the form of docs/tasks.md
    task = {"preset": "bird", "path": {"train": str(file), "test": str(file)}, "databases": {"test": str(tmp_path)}}
    study = demo({"tasks/bird": task, "suites/bird": ["bird"]})
    refuse_other_columns(study, "bird", "test")
    job: Any = SimpleNamespace(task="bird", split="test")
    rows, _ = prepare("bird", Settings(**Specs(study).prepare_task(job)))
    assert "CREATE TABLE loans" in rows[0]["messages"][0]["content"]
    with pytest.raises(UserError, match=r"task bird, split train: .*databases: missing; name the folder"):
        refuse_other_columns(study, "bird", "train")
    task = {**task, "databases": {"train": str(tmp_path), "test": str(tmp_path / "nowhere")}}
    study = demo({"tasks/bird": task, "suites/bird": ["bird"]})
    refuse_other_columns(study, "bird", "train")
    with pytest.raises(UserError, match=r"task bird, split test: .*there is no file .*nowhere/library/library\.sqlite"):
        refuse_other_columns(study, "bird", "test")

"""The data of a study that are not there."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from clearminds.errors import UserError
from clearminds.files.layout import Layout
from clearminds.run.refusals.data_files import refuse_missing_data

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

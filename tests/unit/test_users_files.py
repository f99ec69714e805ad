"""A study's paths lead to other files of the user's than its results were made of: seen when a run begins."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from demo_study import demo

from clearminds.config.blocks import Model
from clearminds.files.digests import file_sha256
from clearminds.reuse.adopt import UNKNOWN, adopt
from clearminds.reuse.job_memory import JobMemory, digests, made_by
from clearminds.reuse.snakemake_compat import Records
from clearminds.run.specs import Specs
from clearminds.run.task_files import task_files
from clearminds.run.users_files import linked_of, other_files
from clearminds.stages.fetching.adapter_origins import ADAPTER, link
from clearminds.stages.fetching.origins import WANTED, from_folder

OLD = 1_600_000_000
TEXT = '{"q": "Q", "a": "A"}\n'
COLUMNS = {"prompt": "q", "response": "a"}
ONE = {"kind": "file", "columns": COLUMNS, "splits": {"train": "$CMDATA/train.jsonl"}}
SHARDS = {"kind": "file", "columns": COLUMNS, "splits": {"train": {"path": "$CMDATA/shards", "part": "train"}}}
HUB = {"kind": "hub", "columns": COLUMNS, "splits": {"train": "train"}}


def write(file: Path, text: str) -> Path:
    """A file as old as any."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    os.utime(file, (OLD, OLD))
    return file


class Study:
    """One whose data and models have been brought by jobs as they bring them, but for what is in them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.folder_of("one", "A")
        self.folder_of("two", "B")
        self.lead("current", "one")
        self.keys = {
            "tasks/mine": ONE,
            "tasks/shards": SHARDS,
            "tasks/local": {**HUB, "hub": str(folder / "one" / "shards")},
            "models/other": {"path": str(folder / "current" / "model")},
            "variants/theirs": {"adapter": {"path": str(folder / "current" / "adapter"), "base": "other"}},
        }
        self.specs = Specs(demo(self.keys))
        layout = self.specs.layout
        self.mine, self.shards, self.local = (
            layout.examples.path(task=task, split="train") for task in ("mine", "shards", "local")
        )
        self.model = layout.model.path(model="other")
        self.theirs = layout.given.path(model="other", variant="theirs")
        self.make()

    def folder_of(self, name: str, text: str) -> None:
        """A user's folder of everything."""
        place = self.folder / name
        write(place / "train.jsonl", TEXT + text)
        for shard in range(2):
            write(place / "shards" / f"train-{shard:05}-of-00002.jsonl", f"{TEXT}{text}{shard}")
        for file in ("model/config.json", "model/model.safetensors", *(f"adapter/{file}" for file in ADAPTER)):
            write(place / file, f"{file} {text}")

    def lead(self, link: str, to: str) -> None:
        (self.folder / link).unlink(missing_ok=True)
        (self.folder / link).symlink_to(self.folder / to)

    def make(self) -> None:
        study = self.specs.study
        files = task_files(study)
        self.keep("prepare_task", self.mine, files["mine", "train"], task="mine", split="train")
        self.keep("prepare_task", self.shards, files["shards", "train"], task="shards", split="train")
        local = sorted((self.folder / "one" / "shards").iterdir())
        self.keep("prepare_task", self.local, local, task="local", split="train")
        for path in (self.model, self.theirs):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        from_folder(Model(path=study.models["other"].path), Path(self.model).parent)
        link(self.folder / "current" / "adapter", Path(self.theirs).parent, "theirs")
        self.keep("fetch_model", self.model, [], model="other")
        self.keep("take_adapter", self.theirs, [self.model], model="other", variant="theirs")

    def keep(self, stage: str, output: str, inputs: list[Path | str], **names: str) -> None:
        folder = Path(output).parent
        links = {file.name: file_sha256(file) for file in folder.iterdir()} if folder.is_dir() else {}
        write(Path(output), json.dumps({"files": links}))
        spec = json.loads(self.specs.text(stage)(SimpleNamespace(**names)))
        memory = JobMemory.of(Path(self.specs.layout.jobs), [Path(output)], stage, "")
        memory.keep(made_by(stage, spec, "c", {}, digests([Path(path) for path in inputs])))

    def told(self) -> list[str]:
        """What a run that begins says."""
        return list(map(str, adopt(self.specs.layout, other=other_files(Specs(self.specs.study)))))

    def again(self) -> set[str]:
        """What it makes again."""
        ledger, all_of_it = Records(Path(".snakemake")), (self.mine, self.shards, self.local, self.model, self.theirs)
        return {path for path in all_of_it if ledger.params(path) == UNKNOWN}


@pytest.fixture
def study(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("CMDATA", str(tmp_path / "one"))
    found = Study(tmp_path)
    assert found.told() == [] and found.again() == set()
    return found


def test_a_variable_that_leads_to_other_data_is_seen_and_one_that_leads_to_a_copy_is_no_change(study, monkeypatch):
    two = study.folder / "two"
    monkeypatch.setenv("CMDATA", str(two))
    assert study.told() == [
        f"{two / 'train.jsonl'}: is not the file that the results were made of",
        f"{two / 'shards' / 'train-00000-of-00002.jsonl'}: is not the file that the results were made of",
    ]
    assert study.again() == {study.mine, study.shards}
    study.folder_of("copy", "A")
    monkeypatch.setenv("CMDATA", str(study.folder / "copy"))
    assert study.told() == [] and study.again() == set()


def test_data_that_are_out_of_reach_make_nothing_again(study, monkeypatch):
    monkeypatch.setenv("CMDATA", str(study.folder / "nowhere"))
    assert study.told() == [] and study.again() == set()


def test_other_shards_of_a_folder_are_seen_whatever_their_times(study):
    shards = study.folder / "one" / "shards"
    for file in shards.iterdir():
        file.unlink()
    write(shards / "train-00000-of-00001.jsonl", TEXT)
    assert study.told() == [f"{shards}: has not the files that the results were made of"]
    assert study.again() == {study.shards, study.local}


def test_a_file_that_is_added_to_a_folder_in_the_layout_of_the_hub_is_seen(study):
    shards = study.folder / "one" / "shards"
    write(shards / ".cache" / "lock", "")
    write(shards / "model.json", "")
    assert study.told() == []
    write(shards / "data" / "test.jsonl", TEXT)
    assert study.told() == [f"{shards}: has not the files that the results were made of"]
    assert study.again() == {study.local}


def test_a_link_that_leads_to_another_model_and_adapter_is_seen_and_one_to_a_copy_is_no_change(study):
    study.lead("current", "two")
    current = study.folder / "current"
    assert sorted(study.told()) == [
        f"{current / 'adapter' / ADAPTER[0]}: is not the file that the results were made of",
        f"{current / 'model' / 'config.json'}: is not the file that the results were made of",
    ]
    assert study.again() == {study.model, study.theirs}
    study.folder_of("copy", "A")
    study.lead("current", "copy")
    assert study.told() == [] and study.again() == set()


def test_a_file_that_a_model_s_folder_gets_or_loses_is_seen_if_it_is_read(study):
    model = study.folder / "one" / "model"
    write(model / "notes.txt", "")
    assert study.told() == []
    write(model / "tokenizer.json", "")
    assert study.told() == [
        f"{study.folder / 'current' / 'model' / 'tokenizer.json'}: is not the file that the results were made of"
    ]
    assert study.again() == {study.model}


def test_results_that_were_moved_away_from_their_model_are_believed(study):
    (study.folder / "one").rename(study.folder / "elsewhere")
    assert study.told() == [] and study.again() == set()


@pytest.mark.parametrize("patterns", [WANTED, ADAPTER])
def test_what_is_compared_is_what_is_linked(tmp_path, patterns):
    origin, folder = tmp_path / "origin", tmp_path / "folder"
    names = {"config.json", "model.json", "chat.json", "a.safetensors", "b.py", "chat_template.jinja", "log.txt"}
    for name in names if patterns is WANTED else {*ADAPTER, "other.safetensors"}:
        write(origin / name, name)
    (origin / "c.model").mkdir()
    folder.mkdir()
    link(origin, folder, "here")
    assert sorted(linked_of(origin, patterns)) == sorted(file.name for file in folder.iterdir())
    if patterns is WANTED:
        again = tmp_path / "again"
        again.mkdir()
        from_folder(Model(path=str(origin)), again)
        assert sorted(linked_of(origin, patterns)) == sorted(file.name for file in again.iterdir())

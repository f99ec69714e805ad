"""A model in a folder that is not there is refused before any job starts."""

from pathlib import Path

import pytest

from clearminds.config.blocks import Model
from clearminds.errors import UserError
from clearminds.run.refusals.model_folders import refuse_missing_model


def test_a_folder_that_is_not_there_or_holds_no_model_is_refused(tmp_path):
    folder = tmp_path / "mine"
    with pytest.raises(UserError, match=f"^models: path: {folder} does not exist; give a folder saved by"):
        refuse_missing_model(Model(path=str(folder)))
    folder.mkdir()
    with pytest.raises(UserError, match=f"^models: path: {folder} is not a model folder \\(config.json is missing"):
        refuse_missing_model(Model(path=str(folder)))


def test_a_model_that_is_there_or_elsewhere_is_left_to_its_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("config.json").write_text("")
    before = list(tmp_path.rglob("*"))
    refuse_missing_model(Model(path="."))
    refuse_missing_model(Model(hub="me/it", revision="a" * 40))
    assert list(tmp_path.rglob("*")) == before

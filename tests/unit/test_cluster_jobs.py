"""What a job on a cluster's node knows of its run: whom to watch, and what must not have changed meanwhile."""

import os

import pytest

from clearminds.errors import UserError
from clearminds.files.tables import write_json
from clearminds.job import guard
from clearminds.run import one_run

STUDY = {"study": "s", "variants": {"a": 1}, "runtime": {"gpus": 0}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(guard.RUN, "1")
    (tmp_path / ".snakemake").mkdir()
    return tmp_path


def test_a_job_watches_the_snakemake_of_its_node(folder):
    one_run.begin_on_node(STUDY)
    assert os.environ[guard.RUN] == str(os.getpid())


def test_a_config_that_was_edited_while_the_job_waited_is_refused(folder):
    write_json(one_run.STUDY, one_run._blocks(STUDY))
    one_run.begin_on_node({**STUDY, "runtime": {"gpus": 1}})  # how to run may change
    with pytest.raises(UserError, match=r"^variants of the config changed after this job was submitted; start"):
        one_run.begin_on_node({**STUDY, "variants": {"a": 2}})

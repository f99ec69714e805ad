"""What a job on a cluster's node knows of its run: whom to watch, and what must not have changed meanwhile."""

import os

import pytest

from clearminds import errors
from clearminds.errors import UserError
from clearminds.files.tables import write_json
from clearminds.job import guard, launch
from clearminds.job import log as job_log
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


def test_a_gpu_without_memory_is_not_tried_again(tmp_path):
    words = tmp_path / launch.HOPELESS
    launch._not_hopeless(words, attempt=1)
    error = RuntimeError("CUDA out of memory. Tried to allocate")
    said = job_log.one_line(error, tmp_path / "x.log", "train_adapter", {"batch_tokens": 9})
    assert said == "out of memory on the GPU: lower runtime.batch_tokens (now 9) and run again; nothing done is redone"
    words.write_text(said)
    with pytest.raises(UserError, match=r"^out of memory on the GPU: lower runtime.batch_tokens"):
        launch._not_hopeless(words, attempt=2)
    launch._not_hopeless(words, attempt=1)  # the user runs again
    assert not words.exists()


@pytest.mark.parametrize(
    ("stage", "lower"),
    [
        ("generate_responses", "lower runtime.generate_tokens (now 7)"),
        ("evaluate_adapter", "lower runtime.batch_rows (now 3) or runtime.batch_tokens (now 9)"),
        ("build_masks", "free some (on a cluster: raise mem_mb in the profile's set-resources)"),
    ],
)
def test_what_is_to_be_lowered_is_what_the_stage_obeys(tmp_path, stage, lower):
    runtime = {"batch_tokens": 9, "generate_tokens": 7, "batch_rows": 3}
    said = job_log.one_line(RuntimeError("CUDA out of memory"), tmp_path / "x.log", stage, runtime)
    assert said == f"out of memory on the GPU: {lower} and run again; nothing done is redone"


def test_the_host_without_memory_is_tried_again(tmp_path):
    said = job_log.one_line(MemoryError(), tmp_path / "x.log", "build_masks", {"batch_tokens": 9})
    assert said.startswith("out of memory: ") and not said.startswith(errors.OUT_OF_GPU_MEMORY)

"""Runs of a study that says nothing of GPUs: on a machine that has two, and where jobs would be submitted to others."""

import json

import pytest

from .conftest import ROOT, Workflow, tiny_study
from .plans import planned_jobs
from .watching import error_lines


@pytest.fixture
def study(tmp_path, tiny_model):
    return Workflow(tmp_path, tiny_study(tiny_model))


@pytest.mark.slow
def test_jobs_have_a_device_each_and_none_waits_for_one(study, monkeypatch):
    monkeypatch.setenv("CLEARMINDS_DEVICES", "0,1")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setenv("TMPDIR", str(study.folder))
    done = study.run("--cores", "4", "--until", "train_adapter")
    assert done.returncode == 0, done.stdout[-3000:]
    assert done.stdout.count("GPUs: ") == done.stdout.count("GPUs: 2; one a job, up to 2 jobs at a time\n") == 1
    runs = [json.loads(path.read_text()) for path in (study.folder / "logs").rglob("*.run.json")]
    used = [run["devices"] for run in runs if run["stage"] in ("train_adapter", "score_token_perplexity")]
    assert len(used) > 3 and set(used) == {"0", "1"}
    assert {run["devices"] for run in runs if run["stage"] in ("prepare_task", "build_masks")} == {""}
    assert "waiting for a free GPU" not in done.stdout
    # nothing is made again where there is no GPU
    monkeypatch.setenv("CLEARMINDS_DEVICES", "")
    assert planned_jobs(study.run("--dry-run", "--until", "train_adapter").stdout) == set()


@pytest.mark.slow
def test_a_profile_that_submits_jobs_wants_a_number(study):
    command = ["--workflow-profile", str(ROOT / "profiles/slurm")]
    auto = study.run(*command)
    [line] = error_lines(auto.stdout)
    assert auto.returncode != 0 and line.startswith("error: runtime: gpus: auto, the default, takes what this machine")
    # the next thing that is wrong is the profile, which nobody has filled in
    for number in ("--config", "runtime={gpus: 1}"), ("--config", "runtime={gpus: 0}"):
        [line] = error_lines(study.run(*command, *number).stdout)
        assert "still SET_ME" in line

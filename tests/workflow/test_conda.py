"""With conda, each job has the environment of what it runs, and no environment reruns anything."""

import os

import pytest
import yaml

from .conftest import ROOT, Workflow, tiny_study
from .test_reruns import STAND_IN


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "environments"),
    [
        ("responses/tiny/sums/train.self_output.parquet", {"data", "model", "vllm"}),
        ("responses/tiny/chat/test.everyday.parquet", {"data", "model"}),
        ("responses/tiny/sums/train.reference.parquet", {"data", "model"}),
        ("evaluations/tiny/base/all.parquet", {"data", "model", "vllm"}),
    ],
)
def test_only_jobs_of_vllm_have_its_environment(path, environments, tiny_model, tmp_path, monkeypatch):
    conda = tmp_path / "conda"
    conda.write_text(STAND_IN)
    conda.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    config = tiny_study(tiny_model)
    config["sources"]["self_output"]["backend"] = config["evaluation"]["backend"] = "vllm"
    output = Workflow(tmp_path / "study", config).run("--sdm", "conda", "--list-conda-envs", f"results/tiny/{path}")
    listed = [name for name in ("data", "model", "vllm") if f"envs/{name}.yaml" in output.stdout]
    assert set(listed) == environments, output.stdout


@pytest.mark.parametrize("profile", sorted((ROOT / "profiles").iterdir()), ids=lambda path: path.name)
def test_no_profile_lets_an_environment_rerun_anything(profile):
    settings = yaml.safe_load((profile / "config.yaml").read_text(encoding="utf-8"))
    assert sorted(settings["rerun-triggers"]) == ["code", "mtime", "params"]

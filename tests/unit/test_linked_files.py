"""A model that was fetched by links, and then moved away."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from clearminds.errors import UserError
from clearminds.job.linked_files import refuse_dangling

LAUNCHER = Path(__file__).parents[2] / "workflow" / "scripts" / "generate_responses.py"


@pytest.fixture
def moved(tmp_path):
    """A model that was fetched from a folder which is gone."""
    model, users = tmp_path / "models" / "small" / "model.json", tmp_path / "users"
    model.parent.mkdir(parents=True)
    users.mkdir()
    for name in ("config.json", "model.safetensors"):
        (users / name).write_text("{}")
        (model.parent / name).symlink_to(users / name)
    model.write_text("{}")
    refuse_dangling([model, tmp_path / "examples.parquet"])
    users.rename(tmp_path / "moved")
    return model


def test_a_model_that_was_moved_away_is_named_with_its_key(moved):
    gone = moved.parents[2] / "users" / "config.json"
    with pytest.raises(
        UserError, match=rf"is a link to {gone}, which is gone: .* models: small: path; or delete .*model.json, so that"
    ):
        refuse_dangling([moved])


def test_a_job_on_it_ends_in_that_line(moved, tmp_path):
    files = {"examples": tmp_path / "e.parquet", "model": moved, "responses": tmp_path / "r.parquet"}
    command = [sys.executable, LAUNCHER, "--log", tmp_path / "job.log"]
    runtime = {"store": "store", "generate_tokens": 64, "part_seconds": 60, "vllm_python": ""}
    command += ["--spec", json.dumps({"source": {"kind": "reference"}}), "--runtime", json.dumps(runtime)]
    command += [part for name, file in files.items() for part in (f"--{name}", file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"error: {moved.parent}/config.json is a link to " in done.stderr

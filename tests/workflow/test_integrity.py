"""What a run does when files are not what was made: a model edited in place, an adapter altered, masks edited."""

import copy
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file, save_file

from clearminds.files.digests import file_sha256
from clearminds.files.tables import content_sha256

from .conftest import Workflow, tiny_study

pytestmark = pytest.mark.slow

ADAPTER = "results/tiny/adapters/tiny/sums/stm-200/seed0"
MASKS = "results/tiny/masks/tiny/sums/stm-200.parquet"
SCORES = "results/tiny/scores/tiny/tiny/sums/train.reference.parquet"
EVALUATION = "results/tiny/evaluations/tiny/sums/stm-200/seed0/all.parquet"


def small(model: Path, store: Path) -> dict:
    """A study of one variant and one suite."""
    config = tiny_study(model)
    config["tasks"] = {"sums": config["tasks"]["sums"]}
    config |= {"suites": {"all": ["sums"]}, "sources": {}, "match": {"sources": ["reference"]}}
    config["variants"] = {"stm-200": config["variants"]["stm-200"]}
    return config | {"runtime": {"store": str(store)}}


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny_model):
    """A study that has run, with a model folder of its own."""
    folder = tmp_path_factory.mktemp("integrity")
    shutil.copytree(tiny_model, folder / "model")
    shutil.copyfile(folder / "model" / "chat_template.jinja", folder / "template.jinja")
    workflow = Workflow(folder / "work", small(folder / "model", folder / "store"))
    workflow.config["models"]["tiny"]["chat_template"] = {"file": str(folder / "template.jinja")}
    workflow.first = run(workflow)
    return workflow


def run(workflow: Workflow, *arguments: str) -> str:
    done = workflow.run(*arguments)
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def ran(output: str) -> dict[str, int]:
    """How many jobs of each stage ran, and whether they took their result back."""
    found: dict[str, int] = {}
    for stage, said in re.findall(r"^(\w+)(?: \S+)?: (taken back|done in)", output, re.MULTILINE):
        found[f"{stage} {said}"] = found.get(f"{stage} {said}", 0) + 1
    return found


def scale(weights: Path, factor: float, name: str = "") -> None:
    """Multiply the tensors of a file in place."""
    tensors = {key: value * factor if name in key else value for key, value in load_file(weights).items()}
    save_file(tensors, weights.with_name("new"), metadata={"format": "pt"})
    weights.write_bytes(weights.with_name("new").read_bytes())  # the same inode, as an edit in place has
    weights.with_name("new").unlink()


def test_an_adapter_whose_weights_were_altered_is_made_again(made):
    weights = made.folder / ADAPTER / "adapter_model.safetensors"
    before, evaluated = file_sha256(weights), content_sha256(made.folder / EVALUATION)
    scale(weights, 100)
    output = run(made)
    said = f"{ADAPTER}/adapter_model.safetensors: is not what was made (edited or damaged): it is made again"
    assert output.count(said) == 1
    assert ran(output)["train_adapter done in"] == 1
    assert file_sha256(weights) == before and content_sha256(made.folder / EVALUATION) == evaluated
    assert "Nothing to be done" in run(made)


def test_an_adapter_whose_weights_are_gone_is_taken_back_whole(made):
    weights = made.folder / ADAPTER / "adapter_model.safetensors"
    before = file_sha256(weights)
    weights.unlink()
    assert ran(run(made))["train_adapter taken back"] == 1
    assert file_sha256(weights) == before


def test_forced_jobs_compute(made):
    before = file_sha256(made.folder / ADAPTER / "adapter.json")
    found = ran(run(made, "--forcerun", "train_adapter"))
    assert found["train_adapter done in"] == 1
    assert found["evaluate_adapter taken back"] == 1  # what follows finds its inputs as they were
    assert file_sha256(made.folder / ADAPTER / "adapter.json") == before


def test_edited_masks_are_not_trained_on(made):
    masks = made.folder / MASKS
    before = file_sha256(masks)
    with open(masks, "r+b") as handle:
        handle.seek(masks.stat().st_size // 2)
        handle.write(b"\0\0\0\0")
    output = run(made)
    assert f"{MASKS}: is not what its job made (edited or damaged): it is made again" in output
    found = ran(output)
    assert found["build_masks done in"] == 1 and found["train_adapter taken back"] == 1
    assert file_sha256(masks) == before


def test_what_a_launcher_made_by_hand_of_another_spec_is_not_the_study_s(made):
    before = content_sha256(made.folder / MASKS)
    log = (made.folder / "logs/tiny/build_masks/tiny/sums/stm-200.log").read_text(encoding="utf-8")
    arguments = shlex.split(re.search(r"command: \S+ (.*/build_masks.py .*)$", log, re.MULTILINE)[1])
    arguments = [argument.replace('"tau":"200"', '"tau":"150"') for argument in arguments]
    subprocess.run([sys.executable, *arguments], cwd=made.folder, check=True, capture_output=True)
    assert content_sha256(made.folder / MASKS) != before
    assert ran(run(made))["build_masks done in"] == 1
    assert content_sha256(made.folder / MASKS) == before


def test_an_adapter_of_former_masks_is_trained_again_whatever_the_times(made):
    """Only the masks are made again, then all files get one time, as by a copy; and back."""
    config = copy.deepcopy(made.config)
    made.config["variants"]["stm-200"]["weights"]["tau"] = "50"
    try:
        run(made, "masks")
        for path in (made.folder / "results").rglob("*"):
            os.utime(path, (1_700_000_000, 1_700_000_000), follow_symlinks=False)
        output = run(made, "--dry-run")
        assert "rule train_adapter" in output and "rule evaluate_adapter" in output and "build_masks" not in output
    finally:
        made.config.update(config)
    run(made, "masks")
    assert "Nothing to be done" in run(made, "--dry-run")


def test_an_edited_chat_template_is_fetched_again_whatever_its_time(made):
    template = made.folder.parent / "template.jinja"
    text, times = template.read_text(), (template.stat().st_atime_ns, template.stat().st_mtime_ns)
    try:
        template.write_text(f"{text}{{# edited #}}")
        os.utime(template, ns=times)
        output = run(made, "--dry-run")
        assert f"{template}: is not the file that the results were made of" in output
        assert "rule fetch_model" in output
    finally:
        template.write_text(text)
    assert "Nothing to be done" in run(made, "--dry-run")


def test_a_model_edited_in_place_is_another_model_and_poisons_no_store(made, tmp_path):
    """Its scores are those of the new weights everywhere, and a study of the original finds its own in the store."""
    model, original = made.folder.parent / "model", made.folder.parent / "original"
    shutil.copytree(model, original)
    before = pq.read_table(made.folder / SCORES)
    scale(model / "model.safetensors", 1.5, "layers.0")
    output = run(made)
    assert "results/tiny/models/tiny/model.safetensors: is not what was made" in output
    found = ran(output)
    assert found["fetch_model done in"] == found["score_token_perplexity done in"] == 1
    assert pq.read_table(made.folder / SCORES)["logprob"] != before["logprob"]
    other = Workflow(tmp_path / "other", copy.deepcopy(made.config))
    other.config["models"]["tiny"]["path"] = str(original)
    run(other, "scores")
    assert pq.read_table(other.folder / SCORES) == before
    [record] = (other.folder / "logs").rglob("score_token_perplexity/**/*.run.json")
    assert json.loads(record.read_text())["store"]["computed"] == 0

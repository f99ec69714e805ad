"""The commands of the README do what it says, in a copy of the checkout."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml
from forked import run_module

from .conftest import ROOT, Workflow
from .plans import copy_checkout
from .test_study_files import ARCHITECTURES

README = (ROOT / "README.md").read_text(encoding="utf-8")
# a command a line, without the comment after it
COMMANDS = [
    line.split("  #")[0].strip()
    for block in re.findall(r"(?:^ {4}\S.*\n)+", README, flags=re.MULTILINE)
    for line in block.splitlines()
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the checkout, with the studies that the README has its reader copy."""
    folder = copy_checkout(tmp_path_factory.mktemp("checkout") / "clearminds")
    shutil.copytree(ROOT / "studies", folder / "studies")
    for command in COMMANDS:
        if command.startswith("cp "):
            _, source, to = shlex.split(command)
            shutil.copyfile(folder / source, folder / to)
    return folder


@pytest.mark.slow
def test_every_way_to_call_snakemake_runs_the_study_that_it_names(checkout):
    calls = [command.removeprefix(".venv/bin/") for command in COMMANDS if command.startswith(".venv/bin/snakemake ")]
    assert len(calls) >= 4
    last = {"masks": "build_masks", "rehearse": "rehearse"}
    for call in calls:
        done = run_module(*shlex.split(call), "--dry-run", cwd=checkout)
        assert done.returncode == 0, f"{call}: {done.stdout[-3000:]}"
        asked = next((stage for word, stage in last.items() if word in shlex.split(call)), "report")
        planned = {rule for rule in (*last.values(), "train_adapter", "report") if f"rule {rule}:" in done.stdout}
        assert asked in planned and ("train_adapter" in planned) == (asked == "report"), call


@pytest.mark.slow
def test_the_configs_of_the_repository_are_valid(tmp_path):
    # those with a formula for their jobs are planned beside that
    studies = [file for file in sorted((ROOT / "studies").glob("*.yaml")) if file.stem not in ARCHITECTURES]
    for file in [ROOT / "config.yaml", *studies]:
        study = Workflow(tmp_path / file.stem, yaml.safe_load(file.read_text(encoding="utf-8")))
        study.folder.mkdir()
        (study.folder / "studies").symlink_to(ROOT / "studies")  # where their sample rows are
        done = study.run("--dry-run")
        assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.slow
def test_the_study_to_copy_runs_and_its_adapter_is_used_as_printed(checkout, tmp_path, tiny_model, monkeypatch):
    config = yaml.safe_load((checkout / "studies/laptop.yaml").read_text(encoding="utf-8"))
    # the study's model is downloaded by the real one; here a random one stands in for it
    config["models"] = {"tiny": {"path": str(tiny_model)}}
    config["variants"]["stm-2.5"]["weights"]["tau"] = "200"  # every token surprises a random model
    (tmp_path / "studies").symlink_to(checkout / "studies")
    done = Workflow(tmp_path, config).run()
    assert done.returncode == 0, done.stdout[-4000:]
    results = tmp_path / "results" / config["study"]
    assert (results / "report.html").is_file()
    for path in re.findall(r"^\| `([\w/]+\.\w+)`", README, flags=re.MULTILINE):
        assert (results / path).is_file(), path

    [lines] = re.findall(r"^```python\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    here = lines.replace("demo", config["study"]).replace("smollm2-135m-q4", "tiny").replace("/sums/", "/my-task/")
    monkeypatch.chdir(tmp_path)
    exec(compile(here, "README.md", "exec"), {})
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert AutoModelForCausalLM.from_pretrained("merged").num_parameters() > 0
    assert AutoTokenizer.from_pretrained("merged").chat_template

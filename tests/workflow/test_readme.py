"""The README's commands and its worked example do what it says."""

import re

import pytest
import yaml

from .conftest import ROOT, Workflow

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL))


def test_every_make_target_it_names_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", README, flags=re.MULTILINE))
    assert named >= {"setup", "demo", "demo-quick", "test", "test-all"}
    for target in named:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_every_path_it_links_exists():
    for path in re.findall(r"\]\(((?!http)[^)#]+)\)", README):
        assert (ROOT / path).exists(), path


def test_the_configs_of_the_repository_are_valid(tmp_path):
    for file in [ROOT / "config.yaml", *sorted((ROOT / "studies").glob("*.yaml"))]:
        study = Workflow(tmp_path / file.stem, yaml.safe_load(file.read_text(encoding="utf-8")))
        study.folder.mkdir()
        (study.folder / "studies").symlink_to(ROOT / "studies")  # where their sample rows are
        done = study.run("--dry-run")
        assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.slow
def test_the_worked_example_runs(tmp_path, tiny_model):
    config = yaml.safe_load(BLOCKS["mine.yaml"])
    (tmp_path / "mine.jsonl").write_text(BLOCKS["mine.jsonl"], encoding="utf-8")
    # the example's model is downloaded by the real study; here a random one stands in for it
    config["models"] = {"tiny": {"path": str(tiny_model)}}
    config["variants"]["stm-2.5"]["weights"]["tau"] = "200"  # every token surprises a random model
    done = Workflow(tmp_path, config).run()
    assert done.returncode == 0, done.stdout[-4000:]
    assert (tmp_path / "results/mine/report.html").is_file()

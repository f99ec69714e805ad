"""The README and the pages of docs/: short, true to the tree, and their configs are valid."""

import copy
import re
from pathlib import Path

import pytest
import yaml
from demo_study import DEMO
from snakemake.utils import update_config

from clearminds.checkout import ROOT
from clearminds.config.study import Study

README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").glob("*.md"))
TEXTS = [README, *PAGES, ROOT / "studies" / "README.md", ROOT / "results" / "README.md"]
TERMS = ("variant", "suite", "tau", "stm", "ti", "bwt")  # of the glossary; "source" and "match" are plain words, too


def without_code(text: str) -> str:
    """A page's prose: no fenced or indented blocks, comments, links' addresses or code in a line."""
    text = re.sub(r"^```.*?^```$|^ {4}.*$|<!--.*?-->", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"\]\([^)]*\)|`[^`]*`", "", text)


def fragments() -> list:
    """The YAML blocks of all pages that are parts of a study; those of a profile are marked as such."""
    return [
        pytest.param(yaml.safe_load(block), id=f"{page.name}-{number}")
        for page in TEXTS
        for number, block in enumerate(
            re.findall(r"^```yaml\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        )
    ]


def test_the_readme_is_read_in_one_sitting():
    text = README.read_text(encoding="utf-8")
    assert len(text.split()) <= 1500
    assert not [line for line in text.splitlines() if line.startswith("|") and len(line) > 140]


def test_the_readme_says_what_its_terms_mean_before_it_uses_them():
    before, found, after = README.read_text(encoding="utf-8").partition("## Eight terms")
    assert found
    assert not set(TERMS) & set(re.findall(r"[a-z]+", without_code(before).lower()))
    explained = re.findall(r"^- \*\*(\w+)\*\*", after, flags=re.MULTILINE)
    assert set(TERMS) | {"source", "match"} == {term.lower() for term in explained}


def test_every_page_of_docs_is_one_click_from_the_readme():
    linked = set(re.findall(r"\]\((docs/[\w-]+\.md)", README.read_text(encoding="utf-8")))
    assert {f"docs/{page.name}" for page in PAGES} <= linked


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_links_exists(page: Path):
    for path in re.findall(r"\]\(((?!http)[^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / path).exists(), path


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_that_a_page_names_exists(page: Path):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


@pytest.mark.parametrize("part", fragments())
def test_every_piece_of_a_study_is_valid_in_one(part: dict):
    study = copy.deepcopy(DEMO)
    update_config(study, part)
    Study.model_validate(study)

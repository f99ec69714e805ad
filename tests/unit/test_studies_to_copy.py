"""The studies of the repository: editors check them, their README lists them, and what they name exists."""

import json
import re
from pathlib import Path

import jsonschema
import lm_eval.tasks
import pytest
import yaml

from clearminds.checkout import ROOT, SCHEMA
from clearminds.config.load import load_study

STUDIES = sorted((ROOT / "studies").glob("*.yaml"))
FILES = [ROOT / "config.yaml", *STUDIES]
COPIED = [file for file in STUDIES if file.name.startswith("your-data")]


def lines(file):
    return file.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_editor_finds_the_schema_and_the_file_is_valid_by_it(file):
    [path] = re.findall(r"^# yaml-language-server: \$schema=(\S+)$", lines(file)[0])
    assert (file.parent / path).resolve() == SCHEMA
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(file.read_text(encoding="utf-8")))


def test_the_readme_of_studies_lists_each():
    text = (ROOT / "studies/README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[[^]]+\]\(([^)]+)\)", text, flags=re.MULTILINE)
    assert {(ROOT / "studies" / path).resolve() for path in listed} == set(FILES)


def test_the_tasks_of_the_harness_that_studies_name_exist():
    named = re.findall(r"lm_eval:([a-z]\w+)", "\n".join(line for file in FILES for line in lines(file)))
    assert {"ifeval", "gsm8k_cot_zeroshot", "arc_challenge_chat"} <= set(named)
    # the harness' own index of ten thousand tasks takes seconds; a family's folder has the beginning of its names
    for name in set(named):
        family = Path(lm_eval.tasks.__file__).parent / name.partition("_")[0]
        texts = [file.read_text(encoding="utf-8") for file in family.rglob("*.yaml")]
        assert any(re.search(rf"^task: {name}$", text, flags=re.MULTILINE) for text in texts), name


@pytest.mark.parametrize("file", COPIED, ids=lambda file: file.name)
def test_the_other_kind_of_answers_is_three_lines_away(file):
    """Free text or answers that can be checked: what is commented out takes the place of what is not."""
    text = file.read_text(encoding="utf-8")
    three = r"((?: +# (?:columns|verifier|evaluate): .*\n){3})"
    [other] = re.findall(three, text)
    kept = [
        line for line in text.replace(other, "").splitlines() if not re.match(r" {4}(columns|verifier|evaluate):", line)
    ]
    [at] = [n for n, line in enumerate(kept) if line.startswith("      test: studies/your-data/")]
    swapped = [*kept[: at + 1], *other.replace("    # ", "    ").rstrip().splitlines(), *kept[at + 1 :]]
    found, own = (yaml.safe_load(one)["tasks"]["my-task"] for one in ("\n".join(swapped), text))
    assert {found["evaluate"], own["evaluate"]} == {"accuracy", "likelihood"}
    assert {found["verifier"], own["verifier"]} == {"exact", "unverified"}


@pytest.mark.parametrize("file", COPIED, ids=lambda file: file.name)
def test_the_sample_rows_have_the_columns_and_no_row_is_tested_that_is_trained_on(file):
    task = load_study([file]).tasks["my-task"]
    rows = {}
    for split in ("train", "test"):
        rows[split] = [json.loads(line) for line in lines(ROOT / str(task.splits[split]))]
        assert all(row.keys() == {"prompt", "response", "answer"} for row in rows[split])
        assert all(row["answer"] in row["response"] for row in rows[split])
    assert not {row["prompt"] for row in rows["train"]} & {row["prompt"] for row in rows["test"]}

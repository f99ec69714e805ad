"""The files of a study: which are valid, how they are read, and what the schema and the comments say of their keys."""

import re

import jsonschema
import pytest
from demo_study import CONFIG, DEMO, ROOT, study_with

from clearminds.checkout import KEYS
from clearminds.commands import config_schema, keys_page
from clearminds.config.load import load_study
from clearminds.config.tasks import FileTask, HubTask
from clearminds.errors import UserError


@pytest.mark.parametrize("file", [CONFIG, *sorted((ROOT / "studies").glob("*.yaml"))], ids=lambda file: file.name)
def test_every_study_of_the_project_is_valid(file):
    assert load_study([file]).variants


def test_what_snakemake_has_read_counts_and_the_files_are_only_checked():
    study = load_study([CONFIG], {**DEMO, "study": "from-the-command-line"})
    assert study.study == "from-the-command-line"


def test_a_later_file_replaces_the_keys_of_an_earlier_one(tmp_path):
    (tmp_path / "seeds.yaml").write_text("seeds: [1, 2]", encoding="utf-8")
    assert load_study([CONFIG, tmp_path / "seeds.yaml"]).seeds == [1, 2]


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("study: a\nseeds: [0]\nstudy: b\n", "study", "1 and 3"),
        ("variants:\n  x: {responses: a}\n  y: {}\n  x: {responses: b}\n", "x", "2 and 4"),
        ("variants:\n  x:\n    weights:\n      rule: all\n      rule: random\n", "rule", "4 and 5"),
        ("suites:\n  - {a: 1,\n     a: 2}\n", "a", "2 and 3"),
    ],
)
def test_a_duplicate_key_is_refused_with_both_lines(refusal, text, key, lines):
    message = f"key {key!r} appears twice, in lines {lines}; YAML would keep the last: rename one"
    assert refusal(text) == message


def test_a_merged_key_may_be_overridden(load):
    text = CONFIG.read_text(encoding="utf-8").replace("  products:", "  products: &products", 1)
    text = text.replace("targets: [sums]", "  mine: {<<: *products, seed: 8}\ntargets: [sums]")
    study = load(text)
    assert study.tasks["mine"] == study.tasks["products"].model_copy(update={"seed": 8})


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "a word", "null"])
def test_a_file_without_keys_is_refused(refusal, text):
    assert refusal(text) == "holds no keys; a study needs at least models, tasks, targets and variants"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("study: [1,\nseeds: 2\n", "line 1, column 8"),
        ("study:\n\tseeds: 2\n", "line 2, column 1"),
        ("study: a\n---\nstudy: b\n", "line 2, column 1"),
        ("study: !!python/object:os.system x\n", "line 1, column 8"),
        ("study: &a\n  b: *a\n", "line 1, column 8"),
    ],
)
def test_bad_yaml_is_refused_with_its_line(refusal, text, where):
    message = refusal(text)
    assert message.startswith("not valid YAML: ")
    assert where in message


@pytest.mark.parametrize("text", ["? [a, b]\n: 1\n", "? {a: b}\n: 1\n"])
def test_a_key_is_a_word_or_a_number(refusal, text):
    assert refusal(text).startswith("line 1: a key must be a word or a number, not ")


def test_a_file_in_another_encoding_is_refused(refusal):
    assert refusal("study: café\n".encode("latin-1")) == "not UTF-8 text (byte 10); save the file as UTF-8"


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read \(No such file or directory\); give the path"):
        load_study([tmp_path / "none.yaml"])


# --- schema and comments ----------------------------------------------------------------------------------------------


def test_the_schema_for_editors_follows_the_models():
    assert config_schema.SCHEMA.read_text(encoding="utf-8") == config_schema.schema(), "run `make schema`"


def test_the_page_of_keys_follows_the_models():
    assert KEYS.read_text(encoding="utf-8") == keys_page.page(config_schema.document()), "run `make schema`"


def test_the_page_of_keys_has_every_key_with_its_meaning():
    """All keys but those that choose one of several blocks, which are listed by what they choose."""
    document = config_schema.document()
    text = KEYS.read_text(encoding="utf-8")
    keys = {(name, key): node for name, block in all_blocks(document).items() for key, node in block.items()}
    assert len(keys) > 150
    for where, node in keys.items():
        if "const" in node:
            assert re.search(rf"^\| `{node['const']}` \| [A-Z]", text, flags=re.MULTILINE), where
        else:
            row = rf"^\| `{where[1]}` \| .*{re.escape(node['description'].replace('|', chr(92) + '|'))} \|$"
            assert re.search(row, text, flags=re.MULTILINE), where


def all_blocks(document: dict) -> dict[str, dict]:
    return {"": document["properties"], **{name: block["properties"] for name, block in document["$defs"].items()}}


def test_every_link_of_the_page_of_keys_leads_to_one_section():
    text = KEYS.read_text(encoding="utf-8")
    titles = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall("^## (.*)$", text, re.M)]
    linked = set(re.findall(r"\]\(#([^)]+)\)", text))
    assert len(titles) == len(set(titles)) and linked == set(titles) - {"the-study"}


def test_the_page_of_keys_says_what_a_key_may_be():
    rows = {line.split(" | ")[0].strip("| `"): line for line in KEYS.read_text(encoding="utf-8").splitlines()}
    assert " | whole number from 0 or `auto` | `auto` | GPUs per training" in rows["gpus"]
    assert " | number from 0, below 1 | `0` | " in rows["dropout"]
    assert " | all but `all`, `class`, `random` | name or [variants: NAME: weights: scorer](" in rows["scorer"]
    assert "`wandb` or list of these | `none` | " in rows["report_to"]


@pytest.mark.parametrize(("keep", "valid"), [(50, True), (100, True), (0, False), (101, False)])
def test_the_schema_for_editors_has_the_limits_of_numbers(keep, valid):
    weights = {"rule": "budget", "keep": keep}
    study = study_with({"variants/budget": {"responses": "reference", "weights": weights}})
    assert jsonschema.Draft202012Validator(config_schema.document()).is_valid(study) == valid


def test_prompts_alone_are_asked_for_explicitly(load):
    file = {"kind": "file", "splits": {"test": "a.jsonl"}}
    assert load(study_with({"tasks/mine": {**file, "prompt_only": True}})).tasks["mine"].prompt_only
    assert not load(study_with({"tasks/mine": file})).tasks["mine"].prompt_only
    for model in (FileTask, HubTask):
        assert "without responses" in model.model_fields["prompt_only"].description


def test_every_key_of_the_demo_is_commented():
    """A block's key may rely on the comment that it has in an earlier block beside it."""
    commented: set[tuple[int, str, str]] = set()
    bare = []
    block = ""
    for line in CONFIG.read_text(encoding="utf-8").splitlines():
        match = re.match(r"(|  |    )([\w.-]+):", line)
        if match is None:
            continue
        depth, key = len(match[1]), match[2]
        block = block if depth else key
        if " # " in line:
            commented.add((depth, block, key))
        elif depth < 4 or (depth, block, key) not in commented:
            bare.append(line)
    assert len(commented) > 50
    assert not bare

"""Presets on real rows of public data sets, as this machine has them: the traps that each data set holds."""

import json
import re
from collections import Counter
from functools import cache

import pytest
from demo_study import demo
from real_rows import FOLDER, shared_rows

from clearminds.config.presets import expanded
from clearminds.plugins.load import load
from clearminds.plugins.task_kinds import file, rows
from clearminds.run.sizing.sizes import Sizes
from clearminds.stages.prepare_task import Settings, prepare
from clearminds.stages.rehearsal.overlaps import in_words, overlaps


@cache
def examples(name: str, split: str, **overrides: object) -> list[dict]:
    """The examples of a preset as its stage makes them of the files in `FOLDER`."""
    shared_rows(f"{name}-{split}")  # skips where they are not there
    block = expanded({"x": {"preset": name, "path": str(FOLDER), **overrides}})["x"]
    block["splits"].setdefault(split, {"path": str(FOLDER), "part": split, "name": name})
    made, _ = prepare("x", Settings(block, split, needs_reference=True))
    return made


def meta(row: dict) -> dict:
    return json.loads(row["meta"])


def program(row: dict) -> str:
    [found] = re.findall(r"^```python\n(.*)\n```$", row["reference"], re.DOTALL)
    return found


@pytest.mark.parametrize("split", ["train", "validation"])
def test_mbpp_has_line_ends_of_one_kind_and_is_judged_by_its_asserts(split):
    raw, rows = shared_rows(f"mbpp-{split}"), examples("mbpp", split)
    assert sum("\r\n" in row["code"] for row in raw) > 0.9 * len(raw)
    assert sum(bool(row["test"].strip()) for row in raw) <= 1
    assert not any("\r" in program(row) for row in rows)
    for before, row in zip(raw, rows, strict=True):
        assert row["example_id"] == f"{split}-{before['task_id']}"
        assert meta(row)["origin"] == f"mbpp/{before['task_id']}"
        assert meta(row)["tests"].endswith("\n".join(before["test_list"]))
        assert before["test"] in meta(row)["tests"]
        assert "setup" not in meta(row)  # none of these rows imports anything for its tests
        assert all(test.rstrip() in row["messages"][0]["content"] for test in before["test_list"])
        compile(meta(row)["tests"], row["example_id"], "exec")
        compile(program(row), row["example_id"], "exec")


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_arc_has_numeric_labels_and_three_or_five_choices_and_all_of_them_get_letters(split):
    raw, rows = shared_rows(f"arc_challenge-{split}"), examples("arc_challenge", split)
    labels = Counter(tuple(row["choices"]["label"]) for row in raw)
    assert labels["1", "2", "3", "4"] and {3, 4, 5} == {len(found) for found in labels}
    for before, row in zip(raw, rows, strict=True):
        found = meta(row)
        assert found["labels"] == list("ABCDE")[: len(found["choices"])]
        assert found["choices"] == before["choices"]["text"]
        right = before["choices"]["label"].index(before["answerKey"])
        assert (found["gold"], row["answer"]) == (right, "ABCDE"[right])
        assert row["reference"].split() == found["choices"][right].split()


def test_arc_by_letters_shows_every_choice_and_ends_as_it_asks_for():
    raw, rows = shared_rows("arc_challenge-test"), examples("arc_challenge", "test", evaluate="accuracy")
    for before, row in zip(raw, rows, strict=True):
        assert row["reference"] == f"Answer: {row['answer']}"
        shown = re.findall(r"^([A-E])\) ", row["messages"][0]["content"], re.MULTILINE)
        assert shown == list("ABCDE")[: len(before["choices"]["text"])]


@pytest.mark.parametrize("split", ["train", "test"])
def test_gsm8k_loses_its_annotations_and_keeps_its_mark(split):
    raw, rows = shared_rows(f"gsm8k-{split}"), examples("gsm8k", split)
    assert sum("<<" in row["answer"] for row in raw) > 0.9 * len(raw)
    for before, row in zip(raw, rows, strict=True):
        assert "<<" not in row["reference"] and ">>" not in row["reference"]
        assert re.search(r"\n#### -?[\d,]+$", row["reference"])
        assert re.fullmatch(r"-?\d+", row["answer"])
        assert int(row["answer"]) == int(before["answer"].split("####")[1].replace(",", ""))


@pytest.mark.parametrize("split", ["validation", "test"])
def test_math_has_its_boxed_answers(split):
    raw, rows = shared_rows(f"math-{split}"), examples("math", split)
    assert any(row["solution"].count("boxed") > 1 for row in raw)
    for before, row in zip(raw, rows, strict=True):
        assert (row["answer"] and f"\\boxed{{{row['answer']}}}" in " ".join(before["solution"].split())) or (
            row["answer"] in before["solution"]
        )


@pytest.mark.parametrize(
    ("name", "split", "overrides"),
    [
        ("gsm8k", "train", {}),
        ("gsm8k", "test", {}),
        ("arc_challenge", "test", {"evaluate": "accuracy"}),
        ("arc_challenge", "test", {}),
    ],
)
def test_every_reference_is_judged_correct(name, split, overrides):
    rows = examples(name, split, **overrides)
    block = expanded({"x": {"preset": name}})["x"]
    verify = load("verifiers", block["verifier"]).verify
    wrong = [row["example_id"] for row in rows if verify(row["reference"], row, strict=False)[0] != "correct"]
    assert not wrong
    if name == "gsm8k" or overrides:  # a choice's text is no letter
        assert not [row for row in rows if verify(row["reference"], row, strict=True)[0] != "correct"]


def test_items_of_mbpp_plus_are_known_in_mbpp_by_id_though_asked_in_other_words():
    trained = examples("mbpp", "train")
    spec = expanded({"x": {"preset": "mbpp_plus"}})["x"]
    made = [
        {
            "task_id": number,
            "prompt": "Asked anew.",
            "code": "pass",
            "test_imports": [],
            "test_list": ["assert True"],
            "test": "assert True",
        }
        for number in (600, 601, 602, 975)  # of validation, two of train, and of neither
    ]
    evaluated = rows.examples("x", [(str(row["task_id"]), row) for row in made], spec, "test")
    [found] = overlaps("mbpp", trained, "test", {"mbpp_plus": evaluated})
    assert (found["prompts"], found["with_reference"], found["same_item"]) == (0, 0, 2)
    assert in_words(found) == (
        "2 of 374 training items of mbpp are by their ids in split test of mbpp_plus, which is evaluated, under other "
        "prompts: train-601, train-602"
    )
    [twice] = overlaps("mbpp", trained, "validation", {"mbpp": trained[:7]})
    assert (twice["prompts"], twice["same_item"]) == (7, 7)


def test_a_plan_counts_the_rows_and_texts_of_a_presets_files(tmp_path):
    shared_rows("gsm8k-test")
    task = {"preset": "gsm8k", "path": str(FOLDER), "splits": {"test": "test[1300:]"}}
    study = demo({"tasks/x": task, "suites/x": ["x"]})
    sizes = Sizes(study, tmp_path, read_texts=True)
    assert (sizes.items("x", "test"), sizes.items("x", "train")) == (19, 2000)
    assert not sizes.lengths_guessed("x", "test") and 60 < sizes.prompt("x", "test") < 200
    assert len(file.load(study.tasks["x"].model_dump(exclude_none=True), "test")) == 19

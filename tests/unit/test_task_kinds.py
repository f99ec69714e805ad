"""Kinds of tasks: that each one loads, and what the small ones hold."""

import json
import os
import subprocess
import sys
import textwrap

import pytest
from task_rows import questions

from clearminds.checkout import WORKFLOW
from clearminds.errors import UserError
from clearminds.plugins.load import load
from clearminds.plugins.task_kinds import everyday_prompts, human_eval


@pytest.mark.parametrize("kind", ["everyday_prompts", "file", "hub", "human_eval", "reasoning_gym"])
def test_every_kind_loads_without_torch(kind):
    script = f"import sys; from clearminds.plugins.load import load; load('task_kinds', {kind!r})"
    script += "; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONPATH": str(WORKFLOW)})


@pytest.mark.parametrize("kind", ["rows", "csv", "file.load", ""])
def test_unknown_kind(kind):
    with pytest.raises(UserError, match=r"not one of everyday_prompts, file, hub, human_eval, reasoning_gym"):
        load("task_kinds", kind)


def test_human_eval():
    rows = human_eval.load({"splits": {"test": 164}}, "test")
    assert len({row["example_id"] for row in rows}) == 164
    first = rows[0]
    meta = json.loads(first["meta"])
    assert meta["entry_point"] == "has_close_elements"
    assert first["messages"][0]["content"].endswith(meta["prompt"])
    assert first["reference"].startswith("for idx")  # not indented: blanks would merge with a template's line break
    assert first["answer"] == ""
    body = textwrap.indent(first["reference"], "    ")
    program = f"{meta['prompt']}{body}\n{meta['test']}\ncheck({meta['entry_point']})"
    subprocess.run([sys.executable, "-I", "-c", program], check=True, timeout=20)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"test": 165}, "has 164 problems; 165 asked for"),
        ({"train": 9, "test": 9}, "split test only; found train, test"),
    ],
)
def test_human_eval_refuses(splits, message):
    with pytest.raises(UserError, match=message):
        human_eval.load({"splits": splits}, "test")


def test_everyday_prompts(tmp_path, monkeypatch):
    monkeypatch.setattr(everyday_prompts, "PROMPTS", tmp_path / "prompts.txt")
    (tmp_path / "prompts.txt").write_text("How do I boil an egg?\n\nName three rivers – any.\n", encoding="utf-8")
    rows = everyday_prompts.load({"splits": {"test": 2}}, "test")
    assert questions(rows) == ["How do I boil an egg?", "Name three rivers – any."]
    assert [row["example_id"] for row in rows] == ["test-00000", "test-00001"]
    assert {(row["reference"], row["answer"], row["meta"]) for row in rows} == {("", "", "{}")}
    with pytest.raises(UserError, match="there are 2 everyday prompts; 3 asked for"):
        everyday_prompts.load({"splits": {"test": 3}}, "test")
    with pytest.raises(UserError, match="it has one split; found train, test"):
        everyday_prompts.load({"splits": {"train": 1, "test": 1}}, "test")


@pytest.mark.skipif(not everyday_prompts.PROMPTS.is_file(), reason=f"{everyday_prompts.PROMPTS} is missing")
def test_everyday_prompts_of_the_project():
    rows = everyday_prompts.load({"splits": {"test": 10}}, "test")
    assert len(set(questions(rows))) == 10

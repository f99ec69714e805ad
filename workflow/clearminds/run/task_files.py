"""The user's own files that a study's tasks are read from."""

from collections.abc import Iterator
from pathlib import Path

from clearminds.config.study import Study
from clearminds.errors import UserError
from clearminds.files.user_path import user_path
from clearminds.plugins.task_kinds.split_files import files_of


def entries(study: Study) -> Iterator[tuple[str, str, str | dict]]:
    """Task, split, and what the study says of the split's files: a path, or what `files_of` takes."""
    for name, task in study.tasks.items():
        if task.kind == "file":
            for split, entry in task.splits.items():
                yield name, split, entry if isinstance(entry, str) else entry.model_dump()


def task_files(study: Study) -> dict[tuple[str, str], list[Path]]:
    """The files by task and split; none of a folder in which they are not.

    Raises:
        UserError: a path has an environment variable that is not set; told before anything runs.
    """
    return {(name, split): _files(entry) for name, split, entry in entries(study)}


def _files(entry: str | dict) -> list[Path]:
    if isinstance(entry, str) or entry["part"] is None:
        return [user_path(entry if isinstance(entry, str) else entry["path"])]
    path = user_path(entry["path"])
    try:
        return files_of(entry)
    except UserError:  # which files they are is asked again, and said, where they are needed (`refusals.data_files`)
        return [] if path.is_dir() else [path]

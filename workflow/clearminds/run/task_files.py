"""The user's own files that a study's tasks are read from."""

from pathlib import Path

from clearminds.config.study import Study
from clearminds.files.user_path import user_path


def task_files(study: Study) -> dict[tuple[str, str], Path]:
    """The files by task and split.

    Raises:
        UserError: a path has an environment variable that is not set; told before anything runs.
    """
    return {
        (name, split): user_path(entry if isinstance(entry, str) else entry.path)
        for name, task in study.tasks.items()
        if task.kind == "file"
        for split, entry in task.splits.items()
    }

"""Refuses a study whose own data are not there, by the key that names them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from clearminds.errors import UserError
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

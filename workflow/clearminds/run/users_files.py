"""Whether a result would be made of other files of the user's now, though its settings are what they were.

A path of a study may lead elsewhere than before: by an environment variable, a link, or files that were added to a
folder or taken out of it. Contents decide, so that a copy or another mount is no change; only what is at another place
than it was is read, and that once.
"""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from clearminds.files.stamps import Stamps
from clearminds.files.user_path import located
from clearminds.plugins.task_kinds.split_files import files_below
from clearminds.reuse.integrity import Deviation
from clearminds.reuse.job_memory import STAMPS, companions
from clearminds.run.specs import Specs
from clearminds.run.task_files import task_files
from clearminds.stages.fetching.adapter_origins import ADAPTER
from clearminds.stages.fetching.chat_template import TEMPLATE
from clearminds.stages.fetching.origins import WANTED

NOT_LINKED = ("model.json", "chat.json")
OTHER = "is not the file that the results were made of"


def other_files(specs: Specs) -> Callable[[Path, dict], Deviation | None]:
    """For `adopt`: the folder and the record of a job to a file of the user's that is another now; None: there is none.

    Args:
        specs: of the study.
    """
    study, layout = specs.study, specs.layout
    tables = task_files(study)

    def of_task(names: dict[str, str], memory: Path, record: dict) -> Deviation | None:
        task = study.tasks[names["task"]]
        if task.kind == "hub":
            return _other_files(memory, record, files_below(located(task.hub)), named=True)
        return _other_files(memory, record, tables.get((names["task"], names["split"]), []))

    def of_model(names: dict[str, str], memory: Path, record: dict) -> Deviation | None:
        model = study.models[names["model"]]
        template = model.chat_template.file
        if template and (other := _other_files(memory, record, [located(template)])):
            return other
        if model.path is None:
            return None
        return _other_folder(memory, record, located(model.path), WANTED, TEMPLATE if template else None)

    def of_adapter(names: dict[str, str], memory: Path, record: dict) -> Deviation | None:
        path = (study.given or {})[names["variant"]].adapter.path
        if path is None:
            return None
        is_model = (located(path) / "config.json").is_file()
        return _other_folder(memory, record, located(path), WANTED if is_model else ADAPTER)

    stages = {
        "prepare_task": (layout.examples, of_task),
        "fetch_model": (layout.model, of_model),
        "take_adapter": (layout.given, of_adapter),
    }

    def other(memory: Path, record: dict) -> Deviation | None:
        if record["rule"] not in stages:
            return None
        kind, of = stages[record["rule"]]
        names = kind.parse(next(iter(record["outputs"])))
        if names is None or not _is_of(record, names, specs):
            return None  # of no file of the study, or made again anyway
        return of(names, memory, record)

    return other


def _is_of(record: dict, names: dict[str, str], specs: Specs) -> bool:
    """Whether a result was made by the settings that the study has now."""
    wildcards: Any = SimpleNamespace(**names)
    try:
        return record["spec"] == specs.text(record["rule"])(wildcards)
    except KeyError:  # a task, model or variant that is not in the study any more
        return False


def _other_files(memory: Path, record: dict, now: list[Path], named: bool = False) -> Deviation | None:
    """Args: of the job; the files, in the order in which they are read; whether their names count."""
    before = sorted(record["inputs"])  # as `files_of` has those of a split
    # nothing to compare: out of reach, or made by a version that recorded none
    if not before or not now or not all(file.is_file() for file in now) or before == [str(file) for file in now]:
        return None
    stamps = Stamps(memory / STAMPS)
    found = [(file.name if named else "", stamps.sha256(file)) for file in now]
    stamps.save()
    made = [(Path(path).name if named else "", record["inputs"][path]) for path in before]
    if found == made:
        return None
    if len(found) != len(made):
        folder = os.path.commonpath([file.parent for file in now])
        return Deviation(folder, "has not the files that the results were made of", is_input=True)
    first = next(n for n, (one, other) in enumerate(zip(found, made, strict=True)) if one != other)
    return Deviation(str(now[first]), OTHER, is_input=True)


def _other_folder(
    memory: Path, record: dict, origin: Path, patterns: tuple[str, ...], without: str | None = None
) -> Deviation | None:
    """Compare a folder with the links to it. Args: of the job; the folder; what is linked of it, and what is not."""
    folder, now = Path(next(iter(record["outputs"]))).parent, linked_of(origin, patterns)
    now.pop(without or "", None)
    links = {file.name: file for file in folder.iterdir() if file.is_symlink()} if folder.is_dir() else {}
    if not now or not all(file.exists() for file in links.values()):
        return None  # out of reach, as after a move to another machine: only jobs that read it are refused
    if {name: file.resolve() for name, file in now.items()} == {name: file.readlink() for name, file in links.items()}:
        return None
    made, stamps = companions(record), Stamps(memory / STAMPS)
    other = [file for name, file in now.items() if stamps.sha256(file) != made.get(str(folder / name))]
    stamps.save()
    if other:
        return Deviation(str(other[0]), OTHER, is_input=True)
    if gone := links.keys() - now.keys():
        return Deviation(str(origin / min(gone)), "is gone, of which results were made", is_input=True)
    return None


def linked_of(origin: Path, patterns: tuple[str, ...]) -> dict[str, Path]:
    """The files of a folder that `fetching.origins` and `adapter_origins` link, by name; none where it is not there."""
    found = sorted(origin.iterdir()) if origin.is_dir() else []
    wanted = (file for file in found if any(file.match(pattern) for pattern in patterns))
    return {file.name: file for file in wanted if file.is_file() and file.name not in NOT_LINKED}

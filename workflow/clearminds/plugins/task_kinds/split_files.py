"""The files of a split in a folder: as the hub lays data sets out, or named after data set and split."""

import codecs
import os
import re
from pathlib import Path

from clearminds.errors import UserError
from clearminds.files.layout import DECLARING
from clearminds.files.user_path import require_file, user_path

SUFFIXES = (".jsonl", ".json", ".parquet")
SHARD = r"(?:-\d+-of-(\d+)(?:-[0-9a-f]+)?)?"  # how the hub numbers the files of a split
SHOWN = 8  # files of a folder that a message names


def files_of(entry: str | dict) -> list[Path]:
    """The files of a split, in the order of their rows.

    Args:
        entry: a path, or `path` (a file or a folder) and for a folder `part` (the split's name there, perhaps with
            rows behind it), `name` (of the data set, None: any) and `config` (a configuration's name, or None).

    Raises:
        UserError: nothing is there, not all parts of a split are, or several files could be it.
    """
    entry = {"path": entry} if isinstance(entry, str) else entry
    path = user_path(entry["path"])
    if not path.is_dir() or entry.get("part") is None:
        require_file(path)
        return [path]
    split = entry["part"].partition("[")[0]
    folders = [path / entry["config"]] if entry.get("config") else []
    folders += [path, path / "data"]
    named = [split, *(f"{name}-{split}" for name in (entry.get("name"), entry.get("config")) if name)]
    for folder in folders:
        there = sorted(file for file in folder.glob("*") if file.suffix in SUFFIXES and file.is_file())
        for name in named:
            if files := [file for file in there if re.fullmatch(re.escape(name) + SHARD, file.stem)]:
                return _one_of_a_kind(files, split)
    raise UserError(
        f"{path}: no file of split {split}; looked for {' and '.join(named)} as .parquet, .jsonl or .json; found: "
        f"{_listed(path)}; name the folder that has it, or the file itself as path: {{SPLIT: FILE}}"
    )


def files_below(folder: Path) -> list[Path]:
    """Every file in a folder and those below it, by path; of a data set, whatever `datasets` reads of it.

    Hidden ones are left out, as `datasets` does; so is what would be taken for the declaration of a model. Empty where
    there is no such folder.
    """
    found, walked = [], set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in walked else [name for name in folders if not name.startswith(".")]
        walked.add(real)  # links may lead in a circle
        found += [Path(place, name) for name in files if not name.startswith(".") and name not in DECLARING]
    return sorted((file for file in found if file.is_file()), key=str)


def rows_of(entry: str | dict) -> tuple[int, int | None]:
    """The first row of a split that is read, counted from 0, and the one after the last (None: to the end)."""
    if isinstance(entry, str):
        return 0, None
    found = re.search(r"\[(\d*):(\d*)\]$", entry.get("part") or "")
    start, stop = (int(found[1] or 0), int(found[2]) if found[2] else None) if found else (0, None)
    limits = [stop, start + entry["limit"] if entry.get("limit") else None]
    return start, min((limit for limit in limits if limit is not None), default=None)


def is_array(path: Path) -> bool:
    """Whether a JSON file is one array, not an object on each line."""
    with open(path, "rb") as text:
        return text.read(4096).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[")


def _one_of_a_kind(files: list[Path], split: str) -> list[Path]:
    """The shards of one split, all of them; refuses the same split in two formats or cuts."""
    totals = {(file.suffix, (re.search(r"-of-(\d+)(?:-[0-9a-f]+)?$", file.stem) or [None, ""])[1]) for file in files}
    if len(totals) > 1:
        raise UserError(
            f"{files[0].parent}: split {split} is there more than once: {', '.join(file.name for file in files)}; "
            "take one of them out, or name the file"
        )
    total = next(iter(totals))[1]
    if total and len(files) != int(total):
        raise UserError(
            f"{files[0].parent}: split {split} has {int(total)} files, of which {len(files)} are there: "
            f"{', '.join(file.name for file in files)}; fetch the others"
        )
    return files


def _listed(folder: Path) -> str:
    found = sorted(str(file.relative_to(folder)) for file in folder.glob("**/*") if file.suffix in SUFFIXES)
    if not found:
        return "no such file at all"
    return ", ".join(found[:SHOWN]) + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")

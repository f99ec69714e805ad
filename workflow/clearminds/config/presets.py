"""Presets: public tasks by name, each a YAML file in `workflow/tasks/presets/`, made the block of a task.

A preset has a block of a task, whose keys a study overrides, and facts about the data, which are in no spec.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from clearminds.checkout import PRESETS
from clearminds.config.strict import Strict
from clearminds.config.values import Settings, Text
from clearminds.config.wording import NEEDED, nearest, printable, problem, short
from clearminds.config.yaml_strict import load_yaml
from clearminds.errors import UserError

MERGED = ("template", "splits", "columns")  # blocks of which a study may override single keys
NOT_LOCAL = ("hub", "config", "revision")
DATA = (".json", ".jsonl", ".parquet")


class Preset(Strict):
    """One file of `workflow/tasks/presets/`.

    Attributes:
        about: what is asked and how it is judged, in one line.
        licence: of the data.
        source: who made the data, and where they are described.
        contamination: what is known of overlaps with other data.
        sizes: how many rows its splits have, by their names there; plans read them.
        task: keys of a task's block.
        by_measure: what else the block has where `evaluate` is this, by its value.
        example: a row as the data set has it, with which the template is shown and tested.
        schemas: tables of the example's databases, as SQL.
        shown: of a task without a template, what its items look like.
    """

    about: Text
    licence: Text
    source: Text
    contamination: Text | None = None
    sizes: dict[str, int] = Field({})
    task: Settings
    by_measure: dict[str, Settings] = Field({})
    example: Settings = Field({})
    schemas: dict[str, str] = Field({})
    shown: str | None = None


@cache
def preset_names(folder: Path = PRESETS) -> list[str]:
    """The presets that there are, sorted."""
    return sorted(file.stem for file in folder.glob("*.yaml"))


@cache
def load_preset(name: str, folder: Path = PRESETS) -> Preset:
    """Read a preset.

    Raises:
        UserError: its file is no YAML or holds other keys; names the file.
    """
    file = folder / f"{name}.yaml"
    try:
        return Preset.model_validate(load_yaml(file))
    except ValidationError as error:
        first = error.errors()[0]
        where = ": ".join(printable(key) for key in first["loc"])
        found = "missing; add this key" if first["type"] == "missing" else problem([first])
        if first["type"] == "extra_forbidden":
            found = f"unknown key{nearest(first['loc'][-1], list(Preset.model_fields), 'known here')}"
        raise UserError(f"{file}: {where}: {found}") from None


def expanded(tasks: Mapping[str, Any]) -> dict[str, Any]:
    """The tasks of a study, those that name a preset as full blocks.

    Args:
        tasks: blocks by name, as a config has them; what is no block, or names no preset, stays as it is.

    Raises:
        ValueError: a preset that is unknown, or is overridden in a way that it cannot be.
        UserError: as of `load_preset`.
    """
    return {
        name: _block(f"tasks: {name}", block) if isinstance(block, Mapping) and "preset" in block else block
        for name, block in tasks.items()
    }


def _block(where: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    name = overrides["preset"]
    if name not in (known := preset_names()):
        raise ValueError(f"{where}: preset: {short(name)} is not one of {', '.join(known)}{nearest(name, known)}")
    preset = load_preset(name)
    if overrides.get("path") is not None:
        for key in ("hub", "revision"):
            if overrides.get(key) is not None:
                raise ValueError(
                    f"{where}: path and {key} cannot stand together: path names files of yours, {key} data of the "
                    "hub; take one of them out"
                )
    given = {key: value for key, value in overrides.items() if key not in ("path", "preset")}
    if given.get("hub", preset.task.get("hub")) != preset.task.get("hub"):
        given = {"revision": None, **given}  # of another repository it would be another commit
    measure = given.get("evaluate", preset.task.get("evaluate", "accuracy"))
    layers = [preset.by_measure.get(measure, {}) if isinstance(measure, str) else {}, given]
    block = dict(preset.task)
    for layer in layers:
        block = _merged(where, block, layer)
    if "splits" in block and isinstance(block["splits"], dict):
        numbered = block["kind"] in ("human_eval",)
        before = preset.task.get("splits", {})
        files = overrides.get("path")
        of_preset = files is None and block.get("hub") == preset.task.get("hub")
        sizes = preset.sizes if of_preset else {}  # other files may hold more
        _refuse_unknown_splits(where, name, block["splits"], [*before, *(files if isinstance(files, Mapping) else ())])
        block["splits"] = {
            key: value if numbered else _rows(f"{where}: splits: {key}", value, before.get(key, key), sizes)
            for key, value in block["splits"].items()
        }
    if overrides.get("path") is not None:
        block = _local(where, name, block, overrides["path"])
    elif block.get("kind") == "file":
        raise ValueError(
            f"{where}: path: missing; preset {name} is read from files of yours: name their folder, or a file for "
            f"each split, as in path: {{{next(iter(block['splits']))}: FILE}} ({preset.source})"
        )
    return {"preset": name, **block}


def _merged(where: str, block: dict[str, Any], layer: Mapping[str, Any]) -> dict[str, Any]:
    """A block with the keys of another put over it; a key that is null is taken out."""
    result = dict(block)
    for key, value in layer.items():
        if key in MERGED and isinstance(value, Mapping):
            value = _merged(where, result.get(key) or {}, value)
        elif key in MERGED and value is not None:
            raise ValueError(f"{where}: {printable(key)}: {NEEDED['dict_type']} belongs here, not {short(value)}")
        result[key] = value
    return {key: value for key, value in result.items() if value is not None}


def _refuse_unknown_splits(where: str, name: str, splits: Mapping[str, Any], known: list[str]) -> None:
    """Refuse a number of rows of a split that neither the preset nor a file of the user's is called by."""
    for key, value in splits.items() if known else ():
        if key not in known and re.fullmatch("[0-9]+", str(value)):
            raise ValueError(
                f"{where}: splits: {printable(key)}: {value} rows of which split? a number belongs to one that preset "
                f"{name} has: {', '.join(known)}{nearest(key, known)}"
            )


def _rows(where: str, value: object, theirs: str, sizes: Mapping[str, int]) -> object:
    """A split where a number of rows was given: the first ones of theirs. `--config` gives numbers as texts."""
    if isinstance(value, str) and re.fullmatch("[0-9]+", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    if value < 1:
        raise ValueError(f"{where}: {value} rows are none; write at least 1, or null to take the split out")
    found = re.fullmatch(r"(.*?)(?:\[(\d*):\d*\])?", theirs)
    name, first = (found[1], int(found[2] or 0)) if found else (theirs, 0)
    if first + value > (there := sizes.get(name, first + value)):
        raise ValueError(
            f"{where}: {value} rows are more than the {there - first} that there are; write at most so many"
        )
    return f"{name}[{first or ''}:{first + value}]"


def _local(where: str, name: str, block: dict[str, Any], path: object) -> dict[str, Any]:
    """The block of a preset whose data are on this machine: a folder, or a file for each split."""
    if block.get("kind") not in ("hub", "file", "human_eval"):
        raise ValueError(f"{where}: path: preset {name} is of kind {block.get('kind')} and reads no files; take it out")
    splits = block["splits"]
    local = {key: value for key, value in block.items() if key not in NOT_LOCAL}
    if isinstance(path, Mapping):
        local["splits"] = {key: _split(file, splits.get(key, key)) for key, file in path.items()}
    elif isinstance(path, str) and path.endswith(DATA):
        raise ValueError(
            f"{where}: path: {short(path)} is one file; say which split it is, as in "
            f"path: {{{'test' if 'test' in splits else next(iter(splits))}: {path}}}, or name the folder"
        )
    else:
        config = {"config": block["config"]} if block.get("config") else {}
        local["splits"] = {
            key: {**_split(path, part if isinstance(part, str) else f"{key}[:{part}]"), "name": name, **config}
            for key, part in splits.items()
        }
    return {**local, "kind": "file"}


def _split(path: object, part: object) -> dict[str, Any]:
    return {"path": path, "part": part if isinstance(part, str) else f"test[:{part}]"}

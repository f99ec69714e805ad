"""From config files to a checked study, with errors that name file, key and remedy."""

import copy
from collections.abc import Iterable
from datetime import date
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from clearminds.config.study import Study
from clearminds.config.wording import nearest, printable, problem, short
from clearminds.config.yaml_strict import load_yaml
from clearminds.errors import UserError

OF_NUMBERS = ("int_type", "float_type", "bool_type")
# what Snakemake makes of `--configfile STUDY TARGET`
TARGETS = "all names after --configfile are config files: write a target before it, or --configfile=STUDY TARGET"
UNKNOWN = ("extra_forbidden", "invalid_key")  # the second one where it is not even a text


def load_study(files: list[Path], config: dict | None = None) -> Study:
    """Check a study.

    Args:
        files: the YAML files it was read from; read again to refuse duplicate keys.
        config: what Snakemake made of them and of `--config`; default: the files merged in their order.

    Raises:
        UserError: in one line, the first thing that is wrong.
    """
    merged: dict = {}
    hint = f"; {TARGETS}" if len(files) > 1 else ""
    for file in files:
        try:
            merged.update(load_yaml(file))
        except UserError as error:
            raise UserError(f"{error}{hint}") from None
    where = ", ".join(map(str, files)) or "config"
    if place := _half_character(merged if config is None else config):
        raise UserError(f"{where}: {place}, which cannot be written; take it out")
    try:
        return _checked(merged if config is None else config, merged)
    except ValidationError as error:
        raise UserError(f"{where}: {' '.join(_explain(error).split())}{hint}") from error


def _half_character(node: object) -> str | None:
    """Where a text has half of a pair of code units, as YAML's "\\ud800" is; None: nowhere."""
    if isinstance(node, dict):
        for key, value in node.items():
            if found := _half_character(key) or _half_character(value):
                return f"{printable(key)}: {found}"
    elif isinstance(node, list):
        return next(filter(None, map(_half_character, node)), None)
    elif isinstance(node, str) and any("\ud800" <= letter <= "\udfff" for letter in node):
        return f"{short(node)} has half of a character"
    return None


def _checked(config: dict, merged: dict) -> Study:
    try:
        return Study.model_validate(config)
    except ValidationError as error:
        read = copy.deepcopy(config)
        found = [_read_number(read, merged, one) for one in error.errors() if one["type"] in OF_NUMBERS]
        if not any(found):
            raise
        return Study.model_validate(read)


def _read_number(config: dict, merged: dict, error: ErrorDetails) -> bool:
    """Read a number, true or false that `--config` gave inside a block: Snakemake reads blocks of it as texts."""
    place, found = _place(error["loc"])[0], error["input"]
    if not isinstance(found, str) or _at(merged, place) == found:
        return False
    try:
        value = yaml.safe_load(found)
    except (yaml.YAMLError, ValueError):
        return False
    block = _at(config, place[:-1])
    if not isinstance(value, bool | int | float) or not isinstance(block, dict | list):  # of a preset, not of a file
        return False
    block[place[-1]] = value
    return True


def _at(node: Any, keys: list) -> Any:
    """What is at a place of a config; None: nothing."""
    for key in keys:
        try:
            node = node[key]
        except (LookupError, TypeError):
            return None
    return node


def _explain(error: ValidationError) -> str:
    errors = error.errors()
    first = _most_telling(errors)
    keys, node = _place(first["loc"])
    kind, found = first["type"], first["input"]
    shown = [printable(key) for key in keys]
    if kind in UNKNOWN:
        return f"{': '.join(shown)}: unknown key{nearest(keys[-1], list(node.get('properties', {})), 'known here')}"
    if kind == "union_tag_invalid":
        key, allowed = (str(first["ctx"][name]).replace("'", "") for name in ("discriminator", "expected_tags"))
        where = ": ".join([*shown, key])
        return f"{where}: {short(found[key])} is not one of {allowed}{nearest(found[key], allowed.split(', '))}"
    if kind == "union_tag_not_found":
        key = first["ctx"]["discriminator"].strip("'")
        near = get_close_matches(key, [name for name in found if isinstance(name, str)], n=1)
        instead = _found_instead(key, near)
        return (
            f"{': '.join([*shown, key])}: missing{instead}; give one of {', '.join(node['discriminator']['mapping'])}"
        )
    if kind == "missing":
        others = [e["loc"][-1] for e in errors if e["type"] in UNKNOWN and e["loc"][:-1] == first["loc"][:-1]]
        message = f"missing{_found_instead(keys[-1], others) or '; add this key'}"
    elif "[key]" in first["loc"] and not _by_id(_place(first["loc"][:-2])[1]):
        message = "a key must be a text; write it in quotes"
    elif "[key]" in first["loc"] or ("pattern" in node and isinstance(found, str | int | float | date)):
        quotes = "no, off, yes and on, which YAML reads as true or false," if isinstance(found, bool) else "a number"
        message = (
            f"{short(found)} is not an id; use letters, digits, '.', '_' and '-', a letter or digit first "
            f"({quotes} in quotes)"
        )
    else:
        message = problem([e for e in errors if _place(e["loc"])[0] == keys])
    return ": ".join([*shown, message])


def _found_instead(missing: str, others: Iterable[object]) -> str:
    """What is there in place of a missing key, as the middle of a message."""
    names = list(map(str, others))
    if near := get_close_matches(missing, names, n=1):
        return f"; found {short(near[0])}: did you mean {missing}?"
    return f"; found instead: {', '.join(map(printable, names))}" if names else ""


def _most_telling(errors: list[ErrorDetails]) -> ErrorDetails:
    """The first error; where its value could be of two types, the error that went deeper into one of them."""
    first = errors[0]
    same = [e for e in errors if e["loc"][: len(first["loc"]) - 1] == first["loc"][:-1]]
    return max(same, key=lambda e: len(e["loc"])) if _place(first["loc"])[0] == _place(first["loc"][:-1])[0] else first


def _place(location: tuple) -> tuple[list, dict]:
    """The keys of a place as the file has them, without pydantic's names of alternatives, and its block's schema."""
    schema = _schema()
    node: dict = schema
    keys: list = []
    for n, part in enumerate(location):
        node = _resolve(node, schema)
        if "discriminator" in node:
            node = {"$ref": node["discriminator"]["mapping"].get(part, "")}
            continue
        if part == "[key]":
            continue
        alternatives = [option for option in node.get("anyOf", []) if option.get("type") != "null"]
        if len(alternatives) == 1:  # or null
            node, alternatives = _resolve(alternatives[0], schema), []
        if len(alternatives) > 1:
            node = next((o for o in alternatives if o.get("$ref", "").endswith(f"/{part}")), alternatives[-1])
            continue
        keys.append(part)
        if n < len(location) - 1 or part in node.get("properties", {}) or "properties" not in node:
            node = _below(alternatives[0] if alternatives else node, part)
    if keys[:1] == ["given"]:  # where `config.given` puts some of the variants
        keys[0] = "variants"
    return keys, _resolve(node, schema)


@cache
def _schema() -> dict:
    return Study.model_json_schema()


def _by_id(node: dict) -> bool:
    """Whether a block's keys are ids."""
    return "patternProperties" in node


def _below(node: dict, part: object) -> dict:
    """The schema of what is under a key or at a place of a list."""
    if part in node.get("properties", {}):
        return node["properties"][part]
    patterns = list(node.get("patternProperties", {}).values())
    other = node.get("items", node.get("additionalProperties"))
    return patterns[0] if patterns else other if isinstance(other, dict) else {}


def _resolve(node: dict, schema: dict) -> dict:
    while "$ref" in node:
        node = schema["$defs"].get(node["$ref"].rsplit("/", 1)[-1], {})
    return node

"""From config files to a checked study, with errors that name file, key and remedy."""

from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from clearminds.config.study import Study
from clearminds.config.yaml_strict import load_yaml
from clearminds.errors import UserError


def load_study(files: list[Path], config: dict | None = None) -> Study:
    """Check a study.

    Args:
        files: the YAML files it was read from; read again to refuse duplicate keys.
        config: what Snakemake made of them and of `--config`; default: the files merged in their order.

    Raises:
        UserError: in one line, the first thing that is wrong.
    """
    merged: dict = {}
    for file in files:
        merged.update(load_yaml(file))
    where = ", ".join(map(str, files)) or "config"
    try:
        return Study.model_validate(merged if config is None else config)
    except ValidationError as error:
        raise UserError(f"{where}: {' '.join(_explain(error).split())}") from error


def _explain(error: ValidationError) -> str:
    first = _most_telling(error.errors())
    keys, node = _place(first["loc"])
    kind, found = first["type"], first["input"]
    if kind == "extra_forbidden":
        return f"{': '.join(keys)}: unknown key{_nearest(keys[-1], list(node.get('properties', {})), 'known here')}"
    if kind == "union_tag_invalid":
        key, tag, allowed = (str(first["ctx"][name]).strip("'") for name in ("discriminator", "tag", "expected_tags"))
        allowed = allowed.replace("'", "")
        return f"{': '.join([*keys, key])}: {tag!r} is not one of {allowed}{_nearest(tag, allowed.split(', '))}"
    if kind == "union_tag_not_found":
        key = first["ctx"]["discriminator"].strip("'")
        return f"{': '.join([*keys, key])}: missing; give one of {', '.join(node['discriminator']['mapping'])}"
    if kind == "missing":
        message = "missing; add this key"
    elif kind == "string_pattern_mismatch" or "[key]" in first["loc"]:
        message = (
            f"{found!r} is not an id; use letters, digits, '.', '_' and '-', "
            "a letter or digit first (a number in quotes)"
        )
    elif kind in ("model_type", "model_attributes_type", "dict_type"):
        message = f"a block of keys belongs here, not {_short(found)}; fill it in or take the key out"
    elif kind == "too_short":
        message = f"at least one entry is needed, not {_short(found)}"
    elif kind == "value_error":
        message = first["msg"].removeprefix("Value error, ")
    else:
        message = f"{first['msg'][0].lower()}{first['msg'][1:]}, not {_short(found)}"
    return ": ".join([*keys, message])


def _most_telling(errors: list[ErrorDetails]) -> ErrorDetails:
    """The first error; where its value could be of two types, the error that went deeper into one of them."""
    first = errors[0]
    same = [e for e in errors if e["loc"][: len(first["loc"]) - 1] == first["loc"][:-1]]
    return max(same, key=lambda e: len(e["loc"])) if _place(first["loc"])[0] == _place(first["loc"][:-1])[0] else first


def _place(location: tuple) -> tuple[list[str], dict]:
    """The keys of a place as the file has them, without pydantic's names of alternatives, and its block's schema."""
    schema = Study.model_json_schema()
    node: dict = schema
    keys: list[str] = []
    for n, part in enumerate(location):
        node = _resolve(node, schema)
        if "discriminator" in node:
            node = {"$ref": node["discriminator"]["mapping"].get(part, "")}
            continue
        if part == "[key]":
            continue
        alternatives = [option for option in node.get("anyOf", []) if option.get("type") != "null"]
        if len(alternatives) > 1:
            node = next((o for o in alternatives if o.get("$ref", "").endswith(f"/{part}")), alternatives[-1])
            continue
        keys.append(str(part))
        if n < len(location) - 1 or part in node.get("properties", {}) or "properties" not in node:
            node = _below(alternatives[0] if alternatives else node, part)
    return keys, _resolve(node, schema)


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


def _nearest(found: str, allowed: list[str], otherwise: str = "") -> str:
    near = get_close_matches(found, allowed, n=1)
    return f"; did you mean {near[0]}?" if near else f"; {otherwise}: {', '.join(allowed)}" if otherwise else ""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."

"""From config files to a checked study, with errors that name file, key and remedy."""

from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError

from clearminds.config import Study
from clearminds.errors import UserError
from clearminds.yaml_strict import load_yaml


def load_study(files: list[Path], config: dict | None = None) -> Study:
    """Check a study.

    Args:
        files: the YAML files it was read from; read again to refuse keys that stand twice.
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
        raise UserError(f"{where}: {_explain(error)}") from error


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    path = ": ".join(str(part) for part in first["loc"] if not _is_tag(part, first))
    if first["type"] == "extra_forbidden":
        allowed = _allowed_keys(first["loc"])
        near = get_close_matches(str(first["loc"][-1]), allowed, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(allowed)}"
        return f"{path}: unknown key{hint}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error" or first["type"] == "missing":
        return f"{path}: {message}" if path else message
    return f"{path}: {message}, not {first['input']!r}"


def _is_tag(part: object, error: dict) -> bool:
    # pydantic puts the tag of a union (kind, rule) into the path of a key, where the file has none
    return part in ("reasoning_gym", "human_eval", "everyday_prompts", "file", "hub", "all", "perplexity", "random") and (
        part != error["loc"][-1]
    )


def _allowed_keys(location: tuple) -> list[str]:
    """The keys of the block that holds the unknown one."""
    schema = Study.model_json_schema()
    node: dict = schema
    for part in location[:-1]:
        node = _resolve(node, schema)
        if "discriminator" in node:
            node = {"$ref": node["discriminator"]["mapping"].get(part, "")}
            continue
        if part in node.get("properties", {}):
            node = node["properties"][part]
        elif isinstance(node.get("additionalProperties"), dict):
            node = node["additionalProperties"]
    return list(_resolve(node, schema).get("properties", {}))


def _resolve(node: dict, schema: dict) -> dict:
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node

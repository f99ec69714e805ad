"""JSON schema of config.yaml for editors, and the same as a page: `python -m clearminds.commands.config_schema` writes
`workflow/schemas/` and `docs/keys.md`."""

import json
from typing import Any

from clearminds.checkout import KEYS, SCHEMA
from clearminds.commands.keys_page import page
from clearminds.config.presets import preset_names
from clearminds.config.study import Study

LIMITS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}


def document() -> dict:
    """The schema, its keys in the order of the models."""
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Study.model_json_schema()}
    blocks = found["properties"]["tasks"]["patternProperties"]
    for pattern, block in blocks.items():  # the keys of a preset's block need not be said again
        blocks[pattern] = {"if": {"required": ["preset"]}, "then": _preset(), "else": block}
    given = found["properties"].pop("given")["anyOf"][0]["patternProperties"]
    blocks = found["properties"]["variants"]["patternProperties"]
    for pattern, block in blocks.items():  # variants that are not trained here have keys of their own
        blocks[pattern] = {"if": {"required": ["adapter"]}, "then": given[pattern], "else": block}
    return _limited(found)


def schema() -> str:
    """The schema as JSON text."""
    return json.dumps(document(), indent=2, sort_keys=True) + "\n"


def _limited(node: Any) -> Any:
    """A part of the schema with limits as JSON schema names them; pydantic leaves those of some numbers as its own."""
    if isinstance(node, list):
        return [_limited(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    names = LIMITS if node.get("type") in ("integer", "number") else {}
    return {names.get(key, key): _limited(value) for key, value in node.items()}


def _preset() -> dict:
    return {
        "type": "object",
        "description": "A public task by name (`make tasks` lists them). Keys of its kind override its own.",
        "properties": {
            "preset": {"enum": preset_names(), "description": "its name"},
            "path": {
                "anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}],
                "description": "a local copy of the data: a folder, or a file for each split",
            },
        },
    }


if __name__ == "__main__":
    SCHEMA.write_text(schema(), encoding="utf-8")
    KEYS.write_text(page(document()), encoding="utf-8")

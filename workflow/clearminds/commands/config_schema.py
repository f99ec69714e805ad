"""JSON schema of config.yaml for editors: `python -m clearminds.commands.config_schema` writes `workflow/schemas/`."""

import json

from clearminds.checkout import SCHEMA
from clearminds.config.presets import preset_names
from clearminds.config.study import Study


def schema() -> str:
    """The schema as JSON text."""
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Study.model_json_schema()}
    blocks = found["properties"]["tasks"]["patternProperties"]
    for pattern, block in blocks.items():  # the keys of a preset's block need not be said again
        blocks[pattern] = {"if": {"required": ["preset"]}, "then": _preset(), "else": block}
    given = found["properties"].pop("given")["anyOf"][0]["patternProperties"]
    blocks = found["properties"]["variants"]["patternProperties"]
    for pattern, block in blocks.items():  # variants that are not trained here have keys of their own
        blocks[pattern] = {"if": {"required": ["adapter"]}, "then": given[pattern], "else": block}
    return json.dumps(found, indent=2, sort_keys=True) + "\n"


def _preset() -> dict:
    return {
        "type": "object",
        "properties": {
            "preset": {"enum": preset_names(), "description": "a public task by name; other keys override its own"},
            "path": {
                "anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}],
                "description": "a local copy of the data: a folder, or a file for each split",
            },
        },
    }


if __name__ == "__main__":
    SCHEMA.write_text(schema(), encoding="utf-8")

"""JSON schema of config.yaml for editors: `python -m clearminds.commands.config_schema` writes `workflow/schemas/`."""

import json

from clearminds.checkout import SCHEMA
from clearminds.config.study import Study


def schema() -> str:
    """The schema as JSON text."""
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Study.model_json_schema()}
    return json.dumps(found, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(schema(), encoding="utf-8")

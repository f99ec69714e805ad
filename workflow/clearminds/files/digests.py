"""One text and one digest per value and file, whatever the order of keys and however the file is named."""

import hashlib
import json
from pathlib import Path


def canonical(spec: dict) -> str:
    """The spec as JSON with sorted keys: equal settings give equal strings, whatever their order in YAML."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: object) -> str:
    """SHA-256 of a JSON-able value's canonical form, in hexadecimal."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

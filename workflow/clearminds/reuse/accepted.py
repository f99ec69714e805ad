"""Code that was declared equal to former code, after both had made the same bytes of golden studies.

`workflow/accepted_code.json` has one entry per root whose digest changed while its results did not: written by
`make accept-code` alone, and read by whoever wants to know why an edit made nothing rerun.
"""

import json
from functools import cache
from pathlib import Path

from clearminds.checkout import ACCEPTED_CODE


def original(digest: str) -> str:
    """The digest that this one is declared equal to, through all declarations; itself where there is none."""
    known, seen = former(), {digest}
    while (before := known.get(digest)) and before not in seen:
        seen.add(before)
        digest = before
    return digest


@cache
def former(path: Path = ACCEPTED_CODE) -> dict[str, str]:
    """Digest to the one before it, as declared."""
    return {entry["new"]: entry["old"] for entry in entries(path)}


def entries(path: Path = ACCEPTED_CODE) -> list[dict]:
    """The declarations in their order: root, old, new (digests), since (a commit), reason, files (how many agreed)."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []

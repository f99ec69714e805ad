"""What a run found out of its code, for whoever finds the same sources: parsing them takes a second.

Fingerprints follow from what is below `workflow/` alone. So a run leaves them in its folder beside the digest of all
that is there; its jobs, and the next run, take them from there if that digest is still the same, and parse nothing.
"""

import hashlib
import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from clearminds.checkout import WORKFLOW
from clearminds.files.digests import digest, file_sha256
from clearminds.files.tables import write_json
from clearminds.reuse import stage_code
from clearminds.reuse.job_memory import read_record

KNOWN = Path(".snakemake/clearminds.known_code.json")

_taken: dict[str, tuple[str, str, dict]] = {}  # what this process has worked out: its fingerprint, of which job


def fingerprint(stage: str, spec: dict) -> str:
    """The `code` param of a job: `stage_code.fingerprint`."""
    key = _key(stage, spec)
    if known := _known()["jobs"].get(key):
        return known[0]
    if key not in _taken:
        _taken[key] = stage_code.fingerprint(stage, spec), stage, spec
    return _taken[key][0]


def parts(stage: str, spec: dict) -> dict[str, str]:
    """What each definition and file behind that says by itself: `stage_code.parts`."""
    known = _known()["jobs"].get(_key(stage, spec))
    return _known()["parts"][known[1]] if known else stage_code.parts(stage, spec)


def save() -> None:
    """Leave to others what this process has worked out. Nothing if a file was edited since it began to read them."""
    if not _taken or edited_since():
        return
    jobs, behind = dict(_known()["jobs"]), dict(_known()["parts"])
    for key, (code, stage, spec) in _taken.items():
        roots = digest(stage_code.roots(stage, spec))  # on which parts depend, and the many jobs of a sweep share them
        behind[roots] = behind.get(roots) or stage_code.parts(stage, spec)
        jobs[key] = [code, roots]
    write_json(KNOWN, {"sources": sources(), "jobs": jobs, "parts": behind})


def edited_since() -> bool:
    """Whether a file below `workflow/` is another than when this process found it first."""
    return _sources()[0] != sources()


def sources() -> str:
    """Digest of every file below `workflow/` as this process found them first, and of Python's version."""
    return _first()[0]


def hashes() -> dict[str, str]:
    """The SHA-256 of every file below `workflow/` as this process found them first, by path."""
    return _first()[1]


def is_still(stage: str, spec: dict, code: str) -> bool:
    """Whether the files as they are now give a job this `code`."""
    try:
        return stage_code.fingerprint_anew(stage, spec) == code
    except (ValueError, SyntaxError):  # an edit that is not finished
        return False


@cache
def _first() -> tuple[str, dict[str, str]]:
    return _sources()


def _sources() -> tuple[str, dict[str, str]]:
    found = hashlib.sha256(sys.version.encode())
    walked, hashes = set(), {}
    for folder, folders, files in os.walk(WORKFLOW, followlinks=True):  # plugins may be kept elsewhere
        real = os.path.realpath(folder)
        folders[:] = [] if real in walked else sorted(name for name in folders if name != "__pycache__")
        walked.add(real)
        for path in (Path(folder, name) for name in sorted(files)):
            found.update(os.fsencode(path.relative_to(WORKFLOW)) + b"\n")
            with suppress(OSError):  # what cannot be read, as an editor's lock that leads nowhere, is no code either
                hashes[str(path)] = file_sha256(path)
                found.update(hashes[str(path)].encode())
    return found.hexdigest(), hashes


@cache
def _known() -> dict:
    found = read_record(KNOWN) or {}
    return found if found.get("sources") == sources() else {"jobs": {}, "parts": {}}


def _key(stage: str, spec: dict) -> str:
    return digest([stage, spec])

"""The code as it was when a run began, which its jobs compare with what they find."""

from pathlib import Path

from clearminds.errors import UserError
from clearminds.files.tables import write_json
from clearminds.reuse.code import words
from clearminds.reuse.job_memory import read_record
from clearminds.reuse.known_code import edited_since, sources
from clearminds.reuse.stage_code import everything, parts, root_digest, roots

CODE = Path(".snakemake/clearminds.code.json")  # what each definition said when the run began
SOURCES = "sources"  # in that, the digest of all files


def remember() -> None:
    """Write down the code of the run that begins, unless that of the last one in this folder was the same.

    Raises:
        UserError: a file was edited meanwhile.
    """
    if (read_record(CODE) or {}).get(SOURCES) == sources():
        return
    found = everything()
    if edited_since():
        raise UserError("the code was edited while the jobs were planned; start the workflow again")
    write_json(CODE, {**found, SOURCES: sources()})


def changed_since(stage: str, spec: dict) -> list[str]:
    """What of a job's code is not what it was when its run began, in words; empty where that is not known."""
    before = read_record(CODE) or {}
    if (
        not before
        or before.get(SOURCES) == sources()
        or all(before.get(f"root {root}") == root_digest(root) for root in roots(stage, spec))
    ):
        return []
    said = set(before.values())
    edited = [words(key) for key, own in parts(stage, spec).items() if before.get(key) != own and own not in said]
    return edited or [root for root in roots(stage, spec) if before.get(f"root {root}") != root_digest(root)]

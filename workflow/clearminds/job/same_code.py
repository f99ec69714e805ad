"""Refuses to make a result of other code than its run began with.

Compared before a job begins, again when it has got its GPUs, and when its work is done: `main` imports what it needs
only then. What counts at the end is what was imported, hashed at that moment, so that an edit which was taken back
meanwhile is noticed too; that costs less than importing all that a stage may reach before it begins. An edit that
leaves `code` as it is, as of a comment, is none.
"""

import os
from pathlib import Path

from clearminds.checkout import WORKFLOW
from clearminds.errors import UserError
from clearminds.files.digests import file_sha256
from clearminds.job import guard, imported
from clearminds.reuse import known_code
from clearminds.reuse.run_code import changed_since

MOST = 4  # names of changed code that an error tells


def refuse_changed(stage: str, spec: dict, code: str, submitted: str) -> None:
    """Compare what this process found first with what the run began with.

    Args:
        stage, spec: of the job.
        code: its fingerprint.
        submitted: the one that it was submitted with; empty: none.

    Raises:
        UserError: it names what changed.
    """
    changed = changed_since(stage, spec)
    # on a node the submitted fingerprint is that of Snakemake there, which has read the edited code too
    if (submitted and submitted != code) or (changed and guard.RUN in os.environ):
        raise _changed(changed or [stage])


def refuse_edited(stage: str, spec: dict, code: str) -> None:
    """Compare the files of now with what this process found first, before hours are spent. Args, Raises: as above."""
    if known_code.edited_since() and not known_code.is_still(stage, spec, code):
        raise _changed([stage])


def refuse_other_imports(stage: str, spec: dict, code: str) -> None:
    """Compare what was imported with what this process found first. Args, Raises: as above."""
    if not (others := imported.others(known_code.hashes(), WORKFLOW)):
        return
    as_imported = all(Path(path).is_file() and file_sha256(Path(path)) == sha for path, sha in others.items())
    if not (as_imported and known_code.is_still(stage, spec, code)):
        raise _changed(sorted(str(Path(path).relative_to(WORKFLOW)) for path in others))


def _changed(names: list[str]) -> UserError:
    what = ", ".join(names[:MOST])
    return UserError(f"the code of {what} changed after this job was submitted; start the workflow again")

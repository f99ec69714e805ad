"""Which jobs wait for the rehearsal of their model: those that run for reasons of their own (`rules/rehearse.smk`)."""

from pathlib import Path

from clearminds.files.digests import canonical
from clearminds.files.layout import Artefact, Layout
from clearminds.reuse import stage_code
from clearminds.reuse.job_memory import find_record


def is_as_made_now(layout: Layout, kind: Artefact, wildcards: dict[str, str], spec: dict) -> bool:
    """Whether a result is there and its job remembers the settings and the code of now. Its inputs are not looked at.

    Args:
        layout: of the study's files.
        kind: of the result.
        wildcards: of its path.
        spec: the settings that its job would be called with.
    """
    path = Path(kind.path(**wildcards))
    if not path.exists():
        return False
    record = find_record(Path(layout.jobs), path, kind.stage, kind.name.format(**wildcards))
    if record is None or record.get("spec") != canonical(spec):
        return False
    return record.get("code") == stage_code.fingerprint(kind.stage, spec)

"""The code as it was when a run began, which its jobs compare with what they find."""

from pathlib import Path

from clearminds.reuse.job_memory import read_record

CODE = Path(".snakemake/clearminds.code.json")  # digest per module when the run began


def changed_modules(parts: dict[str, str]) -> list[str]:
    """Which of a job's modules are not what they were when its run began; empty where that is not known."""
    before = read_record(CODE) or {}
    return [name for name, digest in parts.items() if before and before.get(name) != digest]

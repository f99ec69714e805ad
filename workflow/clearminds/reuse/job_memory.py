"""What a job leaves behind for the next run of the same job: what made its result, and the result itself once more.

Snakemake remembers in `.snakemake/`, which stays behind when results are moved, and it has no early cutoff: when a
job reruns, all jobs below it do, though its result be the same. So every job has a folder below
`results/{study}/.jobs/{rule}/`, which moves with the results and holds

    record.json   spec, code (definition by definition), and the SHA-256 of every input and output
    kept/         hard links to the outputs, which Snakemake removes before a job runs
    writer        the lock of the job that writes the result
"""

import json
import os
import shutil
from pathlib import Path

from clearminds.files.digests import canonical, file_sha256
from clearminds.files.tables import content_sha256, write_json


class JobMemory:
    """The memory of one job.

    Args:
        folder: its own.
        outputs: its declared results.
    """

    def __init__(self, folder: Path, outputs: list[Path]):
        self.folder, self.outputs = folder, outputs

    @property
    def record(self) -> dict | None:
        """The record of the last run that ended well, if there is a readable one."""
        return read_record(self.folder / "record.json")

    def keep(self, made_by: dict) -> None:
        """Remember a run. Args: made_by: as from `made_by`."""
        kept, old = self.folder / "kept", self.folder / "kept.old"
        shutil.rmtree(old, ignore_errors=True)
        if kept.exists():
            kept.rename(old)
        kept.mkdir(parents=True)
        for n, output in enumerate(self.outputs):
            try:
                os.link(output, kept / f"{n}.{output.name}")
            except OSError:
                continue  # no hard links here: the result cannot be taken back, which costs time only
        write_json(self.folder / "record.json", {**made_by, "outputs": digests(self.outputs)})
        shutil.rmtree(old, ignore_errors=True)

    def take_back(self, made_by: dict) -> bool:
        """Put the kept outputs in place if settings, code and inputs are what they were and the outputs are whole."""
        record = self.record
        if record is None or any(record.get(key) != made_by[key] for key in ("spec", "code", "contents")):
            return False
        kept = [self.folder / "kept" / f"{n}.{output.name}" for n, output in enumerate(self.outputs)]
        if any(not file.is_file() for file in kept):
            return False
        if list(digests(kept).values()) != [record["outputs"].get(str(output)) for output in self.outputs]:
            return False
        if any(not _companions_stand(file, output) for file, output in zip(kept, self.outputs, strict=True)):
            return False
        for file, output in zip(kept, self.outputs, strict=True):
            output.parent.mkdir(parents=True, exist_ok=True)
            temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
            temporary.unlink(missing_ok=True)
            os.link(file, temporary)
            os.replace(temporary, output)
            temporary.unlink(missing_ok=True)  # replacing a name by another of the same file leaves both
            os.utime(output)  # newer than its inputs, as Snakemake expects of what a job has made
        return True


def made_by(rule: str, spec: dict, code: str, definitions: dict[str, str], inputs: list[Path]) -> dict:
    """What a result depends on, as JSON: rule, spec, code, its definitions, digests of inputs and of their content."""
    contents = {str(file): content_sha256(file) for file in inputs}
    return {
        "rule": rule,
        "spec": canonical(spec),
        "code": code,
        "definitions": definitions,
        "inputs": digests(inputs),
        "contents": contents,
    }


def digests(files: list[Path]) -> dict[str, str]:
    """SHA-256 by path."""
    return {str(file): file_sha256(file) for file in files}


def read_record(path: Path) -> dict | None:
    """A record, or None where it is missing or cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _companions_stand(file: Path, output: Path) -> bool:
    """Whether the files that a result speaks for (an adapter's weights, by `adapter.json`) stand beside its place."""
    if output.suffix != ".json":
        return True
    files = json.loads(file.read_text(encoding="utf-8")).get("files", {})
    return all((output.parent / name).is_file() for name in files)

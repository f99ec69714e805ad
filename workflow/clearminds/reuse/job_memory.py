"""What a job leaves behind for the next run of the same job: what made its result, and the result itself once more.

Snakemake remembers in `.snakemake/`, which stays behind when results are moved, and it has no early cutoff: when a
job reruns, all jobs below it do, though its result be the same. So every job has a folder of its own in the
study's folder of results (`layout.memory_of`), which moves with them and holds

    record.json   spec, code (definition by definition), and the SHA-256 of every input and output
    kept/         hard links to the outputs, which Snakemake removes before a job runs
    writer        the lock of the job that writes the result
"""

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

from clearminds.files.digests import canonical, file_sha256
from clearminds.files.layout import earlier_memory_of, has_own_output, memory_of
from clearminds.files.tables import content_sha256, write_json

RECORD = "record.json"  # in a job's folder


class JobMemory:
    """The memory of one job.

    Args:
        folder: its own.
        outputs: its declared results.
    """

    def __init__(self, folder: Path, outputs: list[Path]):
        self.folder, self.outputs = folder, outputs

    @classmethod
    def of(cls, jobs: Path, outputs: list[Path], stage: str, name: str) -> "JobMemory":
        """The memory of a job, which is moved to where it belongs if an earlier version left it elsewhere.

        Args:
            jobs: the study's folder of all memories.
            outputs: the job's declared results.
            stage: the job's.
            name: what tells it from the stage's other jobs, as earlier versions named its folder.
        """
        folder, earlier = memory_of(jobs, outputs[0]), earlier_memory_of(jobs, stage, name)
        record = read_record(earlier / RECORD)
        if record is not None and str(outputs[0]) in record["outputs"] and not folder.exists():
            with suppress(OSError):  # moved by another process, or may not be moved: made anew
                folder.parent.mkdir(parents=True, exist_ok=True)
                earlier.rename(folder)
        return cls(folder, outputs)

    @property
    def record(self) -> dict | None:
        """The record of the last run that ended well, if there is a readable one."""
        return read_record(self.folder / RECORD)

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
        write_json(self.folder / RECORD, {**made_by, "outputs": digests(self.outputs)})
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


def find_record(jobs: Path, output: Path, stage: str, name: str) -> dict | None:
    """The record of a job, without moving it. Args: as of `JobMemory.of`; output: its first one."""
    # results that an earlier version made are known by the record that it left
    for folder in (memory_of(jobs, output), earlier_memory_of(jobs, stage, name)):
        if (record := read_record(folder / RECORD)) is not None:
            return record
    return None


def records(jobs: Path) -> dict[str, dict]:
    """The records of all jobs of a study, by the path of each output. Args: the folder of all memories."""
    found: dict[str, dict] = {}
    # of an earlier version's record and a job's own, the last one counts
    for file in sorted(jobs.rglob(RECORD), key=lambda file: (has_own_output(file.parent), file)):
        record = read_record(file) or {"outputs": {}}
        found |= dict.fromkeys(record["outputs"], record)
    return found


def _companions_stand(file: Path, output: Path) -> bool:
    """Whether the files that a result declares (an adapter's weights, by `adapter.json`) are beside its place."""
    if output.suffix != ".json":
        return True
    files = json.loads(file.read_text(encoding="utf-8")).get("files", {})
    return all((output.parent / name).is_file() for name in files)

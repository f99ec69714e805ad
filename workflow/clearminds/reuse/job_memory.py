"""What a job leaves behind for the next run of the same job: what made its result, and the result itself once more.

Snakemake remembers in `.snakemake/`, which stays behind when results are moved, and it has no early cutoff: when a
job reruns, all jobs below it do, though its result be the same. So every job has a folder of its own in the
study's folder of results (`layout.memory_of`), which moves with them and holds

    record.json   spec, code (definition by definition), and the SHA-256 of every input and of every file of the result
    stamps.json   by which a file that has not changed since it was hashed is known without reading it (`files.stamps`)
    kept/         hard links to the result's files, of which Snakemake removes the outputs before a job runs
    writer        the lock of the job that writes the result

A result's files are the declared outputs and, beside one that declares its folder whole, the files in that: its
companions. An edit in place changes the kept link too, so nothing is taken back that is not as recorded.
"""

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from clearminds.errors import UserError
from clearminds.files.digests import canonical, file_sha256
from clearminds.files.layout import DECLARING, DESCRIBING, earlier_memory_of, has_own_output, memory_of
from clearminds.files.stamps import Stamps
from clearminds.files.tables import content_sha256, write_json

RECORD, STAMPS = "record.json", "stamps.json"  # in a job's folder


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
        if record is not None and str(outputs[0]) in record["outputs"] and not (folder / RECORD).exists():
            with suppress(OSError):  # moved by another process, or may not be moved: made anew
                folder.parent.mkdir(parents=True, exist_ok=True)
                earlier.rename(folder)
        return cls(folder, outputs)

    @property
    def record(self) -> dict | None:
        """The record of the last run that ended well, if there is a readable one."""
        return read_record(self.folder / RECORD)

    def keep(self, made_by: dict, *, to_take_back: bool = True) -> None:
        """Remember a run.

        Args:
            made_by: as from `made_by`.
            to_take_back: whether the files are kept too; of no use where a stage always computes.
        """
        kept, old = self.folder / "kept", self.folder / "kept.old"
        shutil.rmtree(old, ignore_errors=True)
        if kept.exists():
            kept.rename(old)
        kept.mkdir(parents=True)
        stamps = Stamps(self.folder / STAMPS)
        beside = _companions(self.outputs, stamps)
        for place, file in self._kept(beside).items() if to_take_back else ():
            place.parent.mkdir(exist_ok=True)
            try:
                os.link(file, place)
            except OSError:
                continue  # no hard links here: the result cannot be taken back, which costs time only
            stamps.linked(file)
        write_json(self.folder / RECORD, {**made_by, "outputs": _hashed(self.outputs, stamps), "companions": beside})
        stamps.save()
        shutil.rmtree(old, ignore_errors=True)

    def forget(self) -> None:
        """Remove the record, where what it would say of the result is not so any more."""
        (self.folder / RECORD).unlink(missing_ok=True)

    def take_back(self, made_by: dict) -> bool:
        """Put the kept files in place if settings, code and inputs are what they were and all of them are whole."""
        record = self.record
        if record is None or any(record.get(key) != made_by[key] for key in ("spec", "code", "contents")):
            return False
        beside = record["companions"] if "companions" in record else self._named_by_kept()
        expected = {**beside, **record["outputs"]}
        if any(str(output) not in expected for output in self.outputs):
            return False
        missing = {}
        for place, file in self._kept(beside).items():
            # a companion is not removed before a job runs, and stays where it is as it was made
            if file.name in DESCRIBING or (file.is_file() and file_sha256(file) == beside.get(str(file))):
                continue
            if not place.is_file() or file_sha256(place) != expected[str(file)]:
                return False
            missing[place] = file
        for place, file in missing.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
            temporary.unlink(missing_ok=True)
            os.link(place, temporary)
            os.replace(temporary, file)
            temporary.unlink(missing_ok=True)  # replacing a name by another of the same file leaves both
            if file in self.outputs:
                os.utime(file)  # newer than its inputs, as Snakemake expects of what a job has made
        return True

    def _named_by_kept(self) -> dict[str, str]:
        """The companions that the kept outputs name, where a record of an earlier version does not."""
        found: dict[str, str] = {}
        for n, output in enumerate(self.outputs):
            if output.name in DECLARING:
                files = (read_record(self.folder / "kept" / f"{n}.{output.name}") or {}).get("files", {})
                found |= {str(output.with_name(name)): sha for name, sha in files.items()}
        return found

    def _kept(self, beside: dict[str, str]) -> dict[Path, Path]:
        """Where each file of the result is kept, those that others wait for last. Args: the companions."""
        kept = self.folder / "kept"
        found = {kept / "companions" / Path(path).name: Path(path) for path in beside}
        return found | {kept / f"{n}.{output.name}": output for n, output in enumerate(self.outputs)}


def made_by(
    rule: str,
    spec: dict,
    code: str,
    definitions: dict[str, str],
    inputs: dict[str, str],
    facts: Sequence[str] = (),
) -> dict:
    """What a result depends on, as JSON.

    Args:
        rule: the stage's name.
        spec: its settings.
        code: its fingerprint.
        definitions: what each definition behind that says by itself.
        inputs: SHA-256 by path.
        facts: of how its inputs came to be that it depends on, as of `content_sha256`.

    Returns:
        these, with the SHA-256 of what each input says (`contents`).
    """
    return {
        "rule": rule,
        "spec": canonical(spec),
        "code": code,
        "definitions": definitions,
        "inputs": inputs,
        "contents": {path: content_sha256(Path(path), facts) for path in inputs},
        **({"facts": list(facts)} if facts else {}),
    }


def digests(files: list[Path]) -> dict[str, str]:
    """SHA-256 by path.

    Raises:
        UserError: a file is gone.
    """
    try:
        return {str(file): file_sha256(file) for file in files}
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: is gone; start the workflow again, which makes or asks for it") from error


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
    return {path: record for record in memories(jobs).values() for path in record["outputs"]}


def made_files(jobs: Iterable[dict]) -> dict[str, str]:
    """The SHA-256 that every output of every job had, by its path. Args: the records of all jobs."""
    return {path: sha256 for record in jobs for path, sha256 in record["outputs"].items()}


def memories(jobs: Path) -> dict[Path, dict]:
    """The records of all jobs of a study, by the folder that each one is in. Args: as of `records`."""
    last: dict[str, tuple[Path, dict]] = {}
    # of an earlier version's record and a job's own, the last one counts
    for file in sorted(jobs.rglob(RECORD), key=lambda file: (has_own_output(file.parent), file)):
        record = read_record(file) or {"outputs": {}}
        last |= dict.fromkeys(record["outputs"], (file.parent, record))
    return dict(last.values())


# --- the files that a result consists of ------------------------------------------------------------------------------


def companions(record: dict) -> dict[str, str]:
    """The files beside a job's declared outputs that belong to its result: path to SHA-256."""
    if "companions" in record:
        return record["companions"]
    # in records of earlier versions the declared file names its most important ones
    return {path: sha for output in record["outputs"] for path, sha in declared_files(Path(output)).items()}


def declared_files(output: Path) -> dict[str, str]:
    """The files that a `model.json` or `adapter.json` names: path to SHA-256. Empty for any other file."""
    if output.name not in DECLARING:
        return {}
    files = (read_record(output) or {}).get("files")
    return {str(output.with_name(name)): sha for name, sha in files.items()} if isinstance(files, dict) else {}


def _companions(outputs: list[Path], stamps: Stamps) -> dict[str, str]:
    """Every file beside the outputs that declare their folder; those that they name have just been hashed."""
    found = {}
    for output in outputs:
        if output.name not in DECLARING:
            continue
        named = declared_files(output)
        for file in sorted(output.parent.iterdir()):
            if file == output or file.name.startswith(".") or not file.is_file():
                continue
            # no stamp of those that are named: they were hashed before, and may have changed since
            if sha256 := named.get(str(file)) or stamps.sha256(file, anew=True):
                found[str(file)] = sha256
    return found


def _hashed(files: list[Path], stamps: Stamps) -> dict[str, str]:
    return {str(file): stamps.sha256(file, anew=True) or file_sha256(file) for file in files}

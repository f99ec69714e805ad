"""Whether results are still what their jobs made, by the records that these left (`job_memory`).

A result consists of the declared outputs of a job and, beside one that declares its folder whole (`adapter.json`,
`model.json`), of every file in that folder. All are compared when a run begins, those that a job reads before it
begins, and on demand (`make verify`). A file whose stamp is that of when it was hashed is not read again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clearminds.errors import UserError
from clearminds.files.layout import DECLARING, DESCRIBING, JOBS, first_output, memory_of, results_of
from clearminds.files.stamps import Stamps, checked
from clearminds.reuse.job_memory import RECORD, STAMPS, companions, declared_files, read_record

AGAIN = "start the workflow again, which makes it again"


@dataclass(frozen=True)
class Deviation:
    """A file that is not what is on record.

    Attributes:
        path: of the file.
        what: is wrong with it, in words that follow the path.
        is_input: whether it is a file of the user's that the result was made of, and no result itself.
    """

    path: str
    what: str
    is_input: bool = False

    @property
    def counts(self) -> bool:
        """Whether a result depends on it: not on a model card, which a user may edit."""
        return Path(self.path).name not in DESCRIBING

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


def deviations(memory: Path, record: dict, *, anew: bool = False, save: bool = True) -> list[Deviation]:
    """What of a job's result, and of the user's files that it was made of, is not as recorded.

    A declared output that is gone is none: Snakemake makes it again where it is needed. Nor is a link of a model's
    folder that leads nowhere, where results were moved away from the model: only jobs that read it are refused.

    Args:
        memory: the job's folder.
        record: of its last run.
        anew: read every file, whatever its stamp.
        save: whether the stamps of what was read are kept.
    """
    stamps = Stamps(memory / STAMPS)
    there = {path: sha for path, sha in record["outputs"].items() if Path(path).is_file()}
    found = []
    for path, expected in there.items():
        now = stamps.sha256(Path(path), anew=anew)
        if now is None:
            found.append(Deviation(path, "cannot be read"))
        elif now != expected:
            found.append(Deviation(path, "is not what its job made (edited or damaged)"))
    for path, expected in companions(record).items() if there else ():
        if Path(path).is_symlink() and not Path(path).exists():
            continue
        if (wrong := _wrong(stamps.sha256(Path(path), anew=anew), expected)) is not None:
            found.append(Deviation(path, wrong))
    results = results_of(memory)
    for path, expected in record["inputs"].items() if there else ():
        if results in Path(path).parents:
            continue  # another job's, which has a record of its own
        now = stamps.sha256(Path(path), anew=anew)
        if now is not None and now != expected:
            found.append(Deviation(path, "is not the file that the results were made of", is_input=True))
    if save:
        stamps.save()
    return found


def replaced_inputs(memory: Path, record: dict, made: Mapping[str, str], *, save: bool = True) -> list[str]:
    """Which results of other jobs, that a result was made of, say something else now.

    Snakemake tells that by times, which say nothing after a copy or a `touch`. Where another hash is on record for an
    input than the result was made of, the contents decide: a job that took its result back has read other bytes that
    say the same.

    Args:
        memory: the job's folder.
        record: of its last run.
        made: SHA-256 of every output of every job by path, as recorded.
        save: whether the stamps of what was read are kept.
    """
    other = [path for path, read in record["inputs"].items() if made.get(path, read) != read and Path(path).is_file()]
    if not other or not any(Path(path).is_file() for path in record["outputs"]):
        return []
    stamps, contents, also = Stamps(memory / STAMPS), record.get("contents", {}), record.get("facts", ())
    found = [path for path in other if stamps.content_sha256(Path(path), also) != contents.get(path)]
    if save:
        stamps.save()
    return found


def as_made(memory: Path, paths: Iterable[str]) -> dict[str, str]:
    """The SHA-256 that the jobs of a study have on record for files. Args: any job's folder; paths: of results."""
    jobs = results_of(memory) / JOBS
    makers = ((path, _maker(jobs, path)[1]) for path in paths)
    return {path: record["outputs"][path] for path, record in makers if record}


def refuse_altered(jobs: Path | None, inputs: Mapping[str, str]) -> None:
    """Check, before a job begins, that what it reads is what was made.

    Args:
        jobs: the study's folder of all memories; None: of a command run by hand, which knows no records.
        inputs: its input files with their SHA-256, taken just now.

    Raises:
        UserError: names the file.
    """
    for path, now in inputs.items():
        memory, record = _maker(jobs, path)
        if record and record["outputs"].get(path, now) != now:
            raise UserError(f"{path}: is not what its job made (edited or damaged); {AGAIN}")
        checked(Path(path), now)
        if Path(path).name not in DECLARING:
            continue
        stamps = Stamps(memory / STAMPS) if memory else Stamps(Path())
        if "files" not in (read_record(Path(path)) or {}):
            raise UserError(f"{path}: names no files (edited or damaged); delete it, then {AGAIN}")
        for file, expected in declared_files(Path(path)).items():
            if (wrong := _wrong(stamps.sha256(Path(file)), expected)) is not None:
                raise UserError(f"{file}: {wrong}; {AGAIN}")
            checked(Path(file), expected)
        if memory:
            stamps.save()


def _wrong(now: str | None, expected: str) -> str | None:
    if now is None:
        return "is gone or cannot be read"
    return None if now == expected else "is not what was made (edited or damaged)"


def _maker(jobs: Path | None, path: str) -> tuple[Path | None, dict | None]:
    """The memory and record of the job that makes a file; None where there is none."""
    for output in (path, first_output(path)) if jobs else ():
        memory = memory_of(jobs, output)  # type: ignore[arg-type]  # the loop is empty without jobs
        record = read_record(memory / RECORD)
        if record is not None and path in record["outputs"]:
            return memory, record
    return None, None

"""Telling Snakemake what made the results that it has no record of.

Its memory is `.snakemake/`: where results were moved, restored or cloned without it, it takes every file that is there
for good, whatever the config says. Here each such file gets a record from the job's own memory (`job_memory`), so that
Snakemake compares it like any other: an unchanged step is reused, a changed one reruns. A file without a memory, or
other than its memory says, is made again.

Used by the Snakefile before Snakemake looks at files; the only place that writes Snakemake's records.
"""

from collections.abc import Iterator
from pathlib import Path

from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.persistence.file import FilePersistence

from clearminds.files.digests import file_sha256
from clearminds.files.layout import Layout
from clearminds.reuse.job_memory import records

UNKNOWN = ["'nobody knows what made this file'"]  # as params: equal to no job's


def adopt(layout: Layout, snakemake: Path = Path(".snakemake")) -> int:
    """Write the missing records of a study's results. Returns how many were adopted."""
    if not Path(layout.results).is_dir():
        return 0
    store = FilePersistence(path=snakemake.absolute())
    known = records(Path(layout.jobs))
    adopted = 0
    for path, record in known.items():
        if not Path(path).is_file() or _has_record(store, path):
            continue
        same = file_sha256(Path(path)) == record["outputs"][path]
        store._write_record(path, _metadata(record) if same else _distrust())
        adopted += same
    for path in _results(Path(layout.results)):
        if path not in known and not _has_record(store, path):
            store._write_record(path, _distrust())
    return adopted


def _has_record(store: FilePersistence, path: str) -> bool:
    return Path(store._record_path(store._metadata_path, path)).exists()


def _metadata(record: dict) -> MetadataRecord:
    return MetadataRecord(
        rule=record["rule"],
        params=sorted(map(repr, (record["spec"], record["code"]))),
        input_checksums={path: f"sha256:{digest}" for path, digest in record["inputs"].items()},
        record_format_version=RECORD_FORMAT_VERSION,
        incomplete=False,
    )


def _distrust() -> MetadataRecord:
    return MetadataRecord(params=UNKNOWN, record_format_version=RECORD_FORMAT_VERSION, incomplete=False)


def _results(results: Path) -> Iterator[str]:
    """The files of a study that may be a rule's output."""
    for kind in Layout.outputs().values():
        for path in results.glob(kind.glob):
            if not any(part.startswith(".") for part in path.relative_to(results).parts):
                yield str(path)

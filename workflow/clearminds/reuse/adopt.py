"""Telling Snakemake what made the results that it has no record of.

Its records are in `.snakemake/`: where results were moved, restored or cloned without it, it takes every file that is
there as current, whatever the config says. Here each such file gets a record from the job's own one (`job_memory`), so
that Snakemake compares it like any other: an unchanged step is reused, a changed one reruns. A file without a job's
record, or whose content is not the recorded one, is made again.
"""

from collections.abc import Iterator
from pathlib import Path

from clearminds.files.digests import file_sha256
from clearminds.files.layout import Layout
from clearminds.reuse.job_memory import records
from clearminds.reuse.snakemake_compat import Records

UNKNOWN = ["'unknown'"]  # as params: equal to no job's


def adopt(layout: Layout, snakemake: Path = Path(".snakemake")) -> int:
    """Write the missing records of a study's results. Returns how many were adopted."""
    if not Path(layout.results).is_dir():
        return 0
    ledger, known, adopted = Records(snakemake), records(Path(layout.jobs)), 0
    for path, job in known.items():
        if not Path(path).is_file() or ledger.has(path):
            continue
        if file_sha256(Path(path)) == job["outputs"][path]:
            checksums = {name: f"sha256:{value}" for name, value in job["inputs"].items()}
            params = sorted(map(repr, (job["spec"], job["code"])))
            ledger.write(path, rule=job["rule"], params=params, checksums=checksums)
            adopted += 1
        else:
            ledger.write(path, params=UNKNOWN)
    for path in _results(Path(layout.results)):
        if path not in known and not ledger.has(path):
            ledger.write(path, params=UNKNOWN)
    return adopted


def _results(results: Path) -> Iterator[str]:
    """The files of a study that may be a rule's output."""
    for kind in Layout.outputs().values():
        for path in results.glob(kind.glob):
            if not any(part.startswith(".") for part in path.relative_to(results).parts):
                yield str(path)

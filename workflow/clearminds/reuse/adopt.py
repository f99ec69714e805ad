"""Comparing a study's results with what their jobs left on record, before Snakemake decides what to run.

Snakemake's own records are in `.snakemake/`: where results were moved, restored or cloned without it, it takes every
file that is there as current, whatever the config says; and no record of its own tells that a file was edited,
damaged, or made by a command run by hand. So what counts is each job's record (`job_memory`): Snakemake is told what
made a file, and compares it like any other: an unchanged step is reused, a changed one reruns. A file that is not what
is on record, that was made of another version of its inputs, or whose origin nobody has on record, is made again.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from clearminds.files.layout import Layout, outputs_with
from clearminds.reuse.integrity import Deviation, deviations, replaced_inputs
from clearminds.reuse.job_memory import made_files, memories
from clearminds.reuse.snakemake_compat import Records

UNKNOWN = ["'unknown'"]  # as params: equal to no job's


def adopt(
    layout: Layout,
    snakemake: Path = Path(".snakemake"),
    other: Callable[[Path, dict], Deviation | None] = lambda memory, record: None,
) -> list[Deviation]:
    """Bring Snakemake's records in line with the jobs'.

    Args:
        layout: of the study.
        snakemake: its folder.
        other: the folder and the record of a job to a file of the user's that its result would be made of now, and is
            not made of; None: there is none.

    Returns:
        the files that are not as recorded, each once; what they make wrong will be made again.
    """
    if not Path(layout.results).is_dir():
        return []
    ledger, jobs = Records(snakemake), memories(Path(layout.jobs))
    made = made_files(jobs.values())
    wrong: dict[str, Deviation] = {}
    for memory, record in jobs.items():
        there = [path for path in record["outputs"] if Path(path).is_file()]
        if not there:
            continue
        found = [one for one in deviations(memory, record) if one.counts]
        if not found and (file := other(memory, record)):
            found = [file]
        wrong |= {one.path: one for one in found}
        believed = not (found or replaced_inputs(memory, record, made))
        params = sorted(map(repr, (record["spec"], record["code"]))) if believed else UNKNOWN
        checksums = {name: f"sha256:{value}" for name, value in record["inputs"].items()}
        # of those that are gone too: Snakemake compares no params of a job where one of its outputs has no record
        for path in dict.fromkeys([*record["outputs"], *outputs_with(layout, there[0])]):
            expected = params if path in record["outputs"] else UNKNOWN
            if ledger.params(path) != expected:
                ledger.write(path, rule=record["rule"], params=expected, checksums=checksums)
    for path in results_without_record(layout, jobs.values()):
        if not ledger.has(path):
            ledger.write(path, params=UNKNOWN)
    return list(wrong.values())


def results_without_record(layout: Layout, records: Iterable[dict]) -> Iterator[str]:
    """The files of a study that may be a rule's output and that no job has on record. Args: the records of all jobs."""
    results, known = Path(layout.results), {path for record in records for path in record["outputs"]}
    for kind in Layout.outputs().values():
        for path in results.glob(kind.glob):
            hidden = any(part.startswith(".") for part in path.relative_to(results).parts)
            if not hidden and str(path) not in known:
                yield str(path)

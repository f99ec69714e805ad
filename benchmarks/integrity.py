"""What comparing files with their records adds to a job, and to the beginning of a run.

    PYTHONPATH=workflow .venv/bin/python benchmarks/integrity.py [--study demo] [--directory .] [--pairs 5]

Takes a study that has run, copies its results (so that no stamp is known: the first look at a file reads it), and does
for every job what it does before its work: hash its input files, which it did before there were checks (the peer), and
that with the checks. The two take turns. Prints per stage the medians of both and what the difference is of the job's
own seconds; the first look is given apart. Then the same for the beginning of a run: reading all records, without and
with looking at the files.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from clearminds.files.layout import Layout, run_record
from clearminds.reuse.integrity import deviations, refuse_altered
from clearminds.reuse.job_memory import digests, memories, read_record


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def job_seconds(layout: Layout, output: str) -> float | None:
    """What the record beside a job's log says that it took."""
    for kind in (getattr(layout, name) for name in Layout.outputs()):
        if wildcards := kind.parse(output):
            return (read_record(run_record(Path(kind.log_path(**wildcards)))) or {}).get("seconds")
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--study", default="demo")
    parser.add_argument("--directory", type=Path, default=Path())
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    layout = Layout.of(given.study)
    with tempfile.TemporaryDirectory(dir=given.directory) as scratch:
        for folder in (layout.results, layout.logs):
            shutil.copytree(given.directory / folder, Path(scratch, folder), symlinks=True)
        os.chdir(scratch)
        jobs, rows = Path(layout.jobs), defaultdict(list)
        for record in memories(jobs).values():
            inputs = [Path(path) for path in record["inputs"] if Path(path).is_file()]
            found = digests(inputs)
            first = seconds(lambda found=found: refuse_altered(jobs, found))
            before, now = [], []
            for _ in range(given.pairs):
                before.append(seconds(lambda inputs=inputs: digests(inputs)))
                now.append(seconds(lambda inputs=inputs: refuse_altered(jobs, digests(inputs))))
            took = job_seconds(layout, next(iter(record["outputs"])))
            rows[record["rule"]].append((statistics.median(before), statistics.median(now), first, took))
        print("stage                    jobs  hashing s  with checks s  adds s  of the job  longest first look s")
        for stage, found in rows.items():
            before, now = (statistics.median(row[n] for row in found) for n in range(2))
            first = max(row[2] for row in found)  # of jobs that read the same file only the first one has to
            took = [row[3] for row in found if row[3]]
            share = f"{(now - before) / statistics.median(took):10.3%}" if took else " " * 10
            print(f"{stage:24} {len(found):4} {before:10.3f} {now:14.3f} {now - before:7.3f}  {share} {first:22.3f}")
        before, now = [], []
        for _ in range(given.pairs):
            before.append(seconds(lambda: memories(jobs)))
            now.append(seconds(lambda: [deviations(*one) for one in memories(jobs).items()]))
        print(f"a run's beginning: {statistics.median(before):.3f} s, with checks {statistics.median(now):.3f} s")
        os.chdir("/")


if __name__ == "__main__":
    main()

"""What the demo takes from nothing, as a whole and by stage.

    PYTHONPATH=workflow .venv/bin/python benchmarks/demo.py [--study config.yaml] [--cores all] [--folder FOLDER]

Runs it in a folder of its own, with the shipped profile, as `make demo` does. Prints seconds of the clock and of cores
(user and system, all jobs together), and the seconds that the jobs of each stage have recorded beside their logs, which
add up to more than the clock's where jobs run beside each other. With `--folder` the results are kept there.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from clearminds.report.costs import per_stage
from clearminds.stages.reporting.costs import all_records

ROOT = Path(__file__).parents[1]


def run(study: Path, folder: Path, cores: str) -> float:
    """Run a study in a folder. Returns seconds of the clock.

    Raises:
        SystemExit: it failed; what it said has been shown.
    """
    given = ["--snakefile", ROOT / "Snakefile", "--configfile", study, "--directory", folder, "--cores", cores]
    command = [sys.executable, "-m", "snakemake", *given, "--workflow-profile", ROOT / "profiles" / "default"]
    start = time.perf_counter()
    done = subprocess.run(list(map(str, command)), stdout=sys.stderr)
    if done.returncode:
        sys.exit(f"error: the run ended with code {done.returncode}; what it said is above")
    return time.perf_counter() - start


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--study", type=Path, default=ROOT / "config.yaml")
    parser.add_argument("--cores", default="all")
    parser.add_argument("--folder", type=Path, help="an empty or missing one, where the results are kept")
    given = parser.parse_args()
    if given.folder and given.folder.exists() and any(given.folder.iterdir()):
        sys.exit(f"error: --folder {given.folder}: has files; give an empty or missing one")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        wall = run(given.study.resolve(), folder, given.cores)
        name = yaml.safe_load(given.study.read_text(encoding="utf-8"))["study"]
        found = per_stage(all_records(folder / "logs" / name))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{wall:.0f} s of the clock on {os.cpu_count()} cores; {used.ru_utime:.0f} s user, {used.ru_stime:.0f} s system"
    )
    print("| stage | jobs | seconds | MiB at most |\n|---|---:|---:|---:|")
    for row in found.sort("seconds", descending=True).iter_rows(named=True):
        peak = row["peak_memory_bytes"] / 2**20
        print(f"| {row['stage']} | {row['jobs']} | {row['seconds']:.0f} | {peak:,.0f} |")


if __name__ == "__main__":
    main()

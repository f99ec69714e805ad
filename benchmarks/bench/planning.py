"""Planning: what Snakemake and this project spend before the first job of the demo, where all is there or nothing."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from measured import Measured, Places

ROOT = Path(__file__).parents[2]


def own(places: Places) -> Measured:
    """A dry run of the demo."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    snakemake = Path(sys.executable).with_name("snakemake")
    environment = {**os.environ, "PATH": f"{snakemake.parent}:{os.environ['PATH']}"}
    command = [snakemake, "--cores", "1", "--dry-run", "--quiet"]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(1.0, cpu, time.perf_counter() - start, after.ru_maxrss / 1024)

"""What a cluster adds to a large sweep: planning thousands of jobs, and each job's way through the scheduler.

    PYTHONPATH=workflow:tests:. .venv/bin/python benchmarks/cluster_scale.py [--planned 5000] [--run 60] [--pairs 3]

Needs root and Debian's SLURM, as `make test-slurm` does, and takes some ten minutes. A sweep of thresholds and seeds on
a tiny model is planned (`snakemake --dry-run` with the shipped profile) in turns with one of as many jobs as are run;
then that many jobs, the masks of as many thresholds, really pass the throw-away cluster, two at a time. A job's
overhead is what the scheduler saw of it less what the job's own record says it took. Prints medians, and what they mean
for the large sweep.
"""

import argparse
import copy
import json
import os
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from tiny import tiny_model_folder

from tests.slurm.conftest import OnCluster, filled_in
from tests.slurm.scheduler import cluster, records, why_not
from tests.workflow.conftest import Workflow, tiny_study

SEEDS = 20
NODE = 8  # CPUs of a node of the throw-away cluster


def sweep(study: dict, thresholds: int, seeds: int) -> dict:
    """A study of as many thresholds and seeds."""
    variants = {
        f"stm-{n}": {"responses": "reference", "weights": {"rule": "perplexity", "tau": str(n)}}
        for n in range(100, 100 + thresholds)
    }
    return {**copy.deepcopy(study), "variants": variants, "seeds": list(range(seeds)), "runtime": {"gpus": 1}}


def planned(study: OnCluster, *targets: str) -> tuple[float, float, int]:
    """Seconds and peak memory in MiB of a dry-run, and its jobs."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        run = subprocess.Popen(
            study.command(*targets, "--dry-run", "--quiet", "rules"), stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(run.pid, 0)
        seconds = time.perf_counter() - start
        output.seek(0)
        said = output.read()
    assert status == 0, said[-3000:]
    return seconds, usage.ru_maxrss / 1024, int(re.search(r"^total +(\d+)$", said, re.MULTILINE)[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--planned", type=int, default=5000)
    parser.add_argument("--run", type=int, default=60)
    parser.add_argument("--pairs", type=int, default=3)
    given = parser.parse_args()
    os.environ["CLEARMINDS_SLURM"] = "1"
    if reason := why_not():
        raise SystemExit(f"error: {reason}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        config = tiny_study(tiny_model_folder(folder / "tiny", "llama"))
        profile = filled_in(folder / "profile")
        # masks, training and evaluation per threshold, of which the latter two per seed
        large = OnCluster(folder / "large", sweep(config, round(given.planned / (1 + 2 * SEEDS)), SEEDS), profile)
        small = OnCluster(folder / "small", sweep(config, given.run, 1), profile)
        verdicts = [f"results/tiny/verdicts/tiny/sums/train.{source}.parquet" for source in config["match"]["sources"]]
        done = Workflow(small.folder, {**small.config, "runtime": {}}).run("scores", *verdicts)
        assert done.returncode == 0, done.stdout[-3000:]
        plans = [(planned(large), planned(small, "masks")) for _ in range(given.pairs)]
        seconds, memory, jobs = zip(*(pair[0] for pair in plans), strict=True)
        less, _, few = zip(*(pair[1] for pair in plans), strict=True)
        long, short = statistics.median(seconds), statistics.median(less)
        print(
            f"planning {jobs[0]:,} jobs: {long:.1f} s, {max(memory):.0f} MiB; {few[0]} jobs: {short:.1f} s; "
            f"{1000 * (long - short) / (jobs[0] - few[0]):.1f} ms a job"
        )
        print(run(small, given.run, jobs[0]))


def run(study: OnCluster, number: int, many: int) -> str:
    """Run the masks on the cluster. Returns what it cost, in words, and what that means for many jobs."""
    cluster("start")
    try:
        start = time.perf_counter()
        # a whole node each: on pretended CPUs they would only get in each other's way
        done = study.run("masks", "--set-threads", f"build_masks={NODE}")
        wall = time.perf_counter() - start
        assert done.returncode == 0, done.stdout[-3000:]
        [run_id] = re.findall(r"SLURM run ID: (\S+)", done.stdout)
        found = [record for record in records(run_id) if record.job.startswith("rule_build_masks")]
    finally:
        cluster("stop")
    assert len(found) == number and {record.state for record in found} == {"COMPLETED"}
    own = [json.loads(path.read_text())["seconds"] for path in study.folder.glob("logs/tiny/build_masks/**/*.run.json")]
    on_node = statistics.median((record.end - record.start).total_seconds() for record in found)
    overhead = on_node - statistics.median(own)
    return (
        f"{number} jobs on two nodes: {wall:.0f} s, {wall / number:.1f} s a job; on its node a job took "
        f"{on_node:.1f} s (median), its own work {statistics.median(own):.1f} s: {overhead:.1f} s of overhead\n"
        f"{many:,} jobs, 100 at a time: {many * overhead / 100 / 60:.0f} minutes of waiting for that, "
        f"{many * overhead / 3600:.1f} hours of CPUs"
    )


if __name__ == "__main__":
    main()

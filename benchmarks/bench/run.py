"""The ruler: this project beside its peers, and beside what the machine can do.

    make bench                                                        all of it
    PYTHONPATH=workflow .venv/bin/python benchmarks/bench/run.py --model FOLDER [--only WORDS] [--pairs 5] [--items 24]

Each measurement runs in a process of its own, with one thread, so that seconds of a core can be compared on a machine
that others use too; this project and its peer take turns. Figures are medians, a ratio is the median of those of the
pairs, and its spread their smallest and largest. Writes `results/bench/bench.parquet` and prints the table.

Columns: stage, peer, own and other (amounts per second of a core), ratio, lowest, highest, target, memory (MiB at the
peak above what was there before), other_memory, share_of_peak (of the matrix products that the work needs at least),
unit, pairs, machine.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

import polars as pl
from catalogue import Row, called, rows
from measured import Measured, Places

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]


def in_process(number: int, side: str, given: argparse.Namespace) -> Measured:
    """Measure one side of a row in a process of its own."""
    command = [sys.executable, __file__, "--measure", f"{number}:{side}", "--model", given.model]
    for name in ("items", "tokens", "wide", "results"):
        command += [f"--{name}", str(getattr(given, name))]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), str(given.threads))
    environment = {**os.environ, **threads, "TQDM_DISABLE": "1", "PYTHONPATH": f"{ROOT / 'workflow'}:{HERE.parent}"}
    done = subprocess.run(map(str, command), stdout=subprocess.PIPE, text=True, env=environment, check=True)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def line(row: Row, own: list[Measured], other: list[Measured], peak: float | None) -> dict:
    """A row's figures. Args: the row; measurements of both sides, in pairs; FLOP/s of the machine, where known."""
    speed = statistics.median(one.amount / one.cpu for one in own)
    ratios = [(a.amount / a.cpu) / (b.amount / b.cpu) for a, b in zip(own, other, strict=False)]
    share = statistics.median(one.flops / one.cpu for one in own) / peak if peak and own[0].flops else None
    return {
        "stage": row.stage,
        "peer": row.peer,
        "own": speed,
        "other": statistics.median(one.amount / one.cpu for one in other) if other else None,
        "ratio": statistics.median(ratios) if ratios else None,
        "lowest": min(ratios, default=None),
        "highest": max(ratios, default=None),
        "target": row.target,
        "memory": statistics.median(one.memory for one in own),
        "other_memory": statistics.median(one.memory for one in other) if other else None,
        "share_of_peak": share,
        "unit": row.unit,
        "pairs": len(own),
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
    }


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="folder of the embedded model")
    parser.add_argument("--only", default="", help="rows whose stage has these words")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--items", type=int, default=24)
    parser.add_argument("--tokens", type=int, default=10_000_000, help="of made-up tables")
    parser.add_argument("--wide", type=int, default=8192, help="tokens of the statistics of a wide vocabulary")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "bench")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    table = rows(given.items, given.tokens, given.wide)
    if given.measure:
        number, side = given.measure.split(":")
        row = table[int(number)]
        work = called(row.own if side == "own" else row.other)
        print(json.dumps(work(Places(given.model.resolve(), given.results.resolve())).as_dict()))
        return
    given.results.mkdir(parents=True, exist_ok=True)
    lines: list[dict] = []
    for number, row in enumerate(table):
        if given.only not in row.stage and number:
            continue
        own, other = [], []
        for _ in range(given.pairs):
            own.append(in_process(number, "own", given))
            if row.other:
                other.append(in_process(number, "other", given))
        lines.append(line(row, own, other, lines[0]["own"] if lines else None))
        pl.DataFrame(lines, infer_schema_length=None).write_parquet(given.results / "bench.parquet")
        print(json.dumps(lines[-1]), flush=True)
    shown = {"tbl_rows": -1, "tbl_cols": -1, "tbl_width_chars": 200, "tbl_hide_dataframe_shape": True}
    with pl.Config(tbl_formatting="MARKDOWN", **shown):
        print(pl.DataFrame(lines, infer_schema_length=None).drop("machine", "unit", "pairs"))


if __name__ == "__main__":
    main()

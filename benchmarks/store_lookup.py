"""What a large store adds to a scoring job: looking up and reading, in a store of a million sequences and a small one.

    PYTHONPATH=workflow .venv/bin/python benchmarks/store_lookup.py [--sequences 1000000] [--wanted 2000] [--pairs 5]

Fills a store with made-up scores (parts of 2,000 sequences, 8 to 96 tokens each), then asks it for sequences of which
half are there, spread over all parts or (`neighbours`) written together. A peer takes turns: a Polars scan of the
same parts, filtered by key, which verifies no checksum. Each look-up runs in a process of its own, whose peak memory is
taken. Prints medians, the ratio of medians, and memory in MiB.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from clearminds.reuse.store import Store, key_of
from clearminds.stages.score_token_perplexity import VALUES

PART = 2_000


def fill(folder: Path, sequences: int) -> Store:
    """A store with keys 0 to `sequences`."""
    store, rng = Store(folder / "scores", {"scorer": "made up"}, VALUES), np.random.default_rng(0)
    for start in range(0, sequences, PART):
        lengths = rng.integers(8, 97, PART)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        columns = {"key": pa.array([key_of(start + n) for n in range(PART)], store.schema.field("key").type)}
        for field in VALUES:
            # as random as real ones, so that they compress as little
            numbers = rng.exponential(1.0, offsets[-1]).astype(field.type.value_type.to_pandas_dtype())
            columns[field.name] = pa.ListArray.from_arrays(pa.array(offsets), pa.array(numbers), type=field.type)
        store.add(pa.table(columns, schema=store.schema))
    return store


def look_up(folder: Path, how: str, sequences: int, wanted: int) -> None:
    """Look up keys of which half are there, and print seconds, peak memory beyond the start, and rows found."""
    store = Store(folder / "scores", {"scorer": "made up"}, VALUES)
    rng = np.random.default_rng(1)
    keys = [key_of(int(n)) for n in rng.choice(sequences, wanted // 2, replace=False)]
    keys += [key_of(f"absent {n}") for n in range(wanted - len(keys))]
    if how == "neighbours":  # of one job: written together, so in few parts
        keys[: wanted // 2] = [key_of(n) for n in range(wanted // 2)]
    if how == "polars":
        import polars as pl

        pl.Series([1]).sum()
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    if how == "polars":
        scan = pl.scan_parquet(store.parts())
        found = scan.filter(pl.col("key").is_in(keys)).collect(engine="streaming").height
    else:
        found = store.find(keys).num_rows
    seconds = time.perf_counter() - start
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(json.dumps({"seconds": seconds, "memory": memory, "found": found}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sequences", type=int, default=1_000_000)
    parser.add_argument("--wanted", type=int, default=2_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--one", help="internal: one look-up in this process")
    given = parser.parse_args()
    if given.one:
        look_up(given.folder, given.one, given.sequences, given.wanted)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        start = time.perf_counter()
        store = fill(folder, given.sequences)
        size = sum(part.stat().st_size for part in store.parts()) / 2**20
        seconds = time.perf_counter() - start
        print(
            f"{given.sequences:,} sequences, {len(store.parts())} parts, {size:,.0f} MiB, filled in {seconds:.0f} s",
            flush=True,
        )
        runs: dict[str, list[dict]] = {}
        for _ in range(given.pairs):
            for how in ("store", "polars", "neighbours"):
                command = [sys.executable, __file__, "--one", how, "--folder", str(folder)]
                command += ["--sequences", str(given.sequences), "--wanted", str(given.wanted)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                runs.setdefault(how, []).append(json.loads(done.stdout.splitlines()[-1]))
        for how, found in runs.items():
            seconds = statistics.median(run["seconds"] for run in found)
            memory = statistics.median(run["memory"] for run in found)
            print(f"{how}: {seconds:.2f} s, {memory:.0f} MiB more at peak, {found[0]['found']} of {given.wanted} found")
        medians = {how: statistics.median(run["seconds"] for run in found) for how, found in runs.items()}
        print(f"store / polars: {medians['store'] / medians['polars']:.2f}")


if __name__ == "__main__":
    main()

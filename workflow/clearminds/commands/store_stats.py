"""Says what a store holds and how often it was of use: `make store-stats`.

python -m clearminds.commands.store_stats [--configfile STUDY.yaml] [--store FOLDER]
"""

import argparse
import json
from pathlib import Path

import pyarrow.parquet as pq

from clearminds.checkout import CONFIG
from clearminds.commands.run_command import run_command
from clearminds.config.load import load_study
from clearminds.reuse.store import namespaces, usage


def main(arguments: list[str] | None = None) -> None:
    """Print a line per namespace, and one per kind for the look-ups. Args: of the command line."""
    store = given_store("store_stats", __doc__, arguments)
    if not (folders := list(namespaces(store))):
        print(f"no store at {store} yet")
        return
    for folder in folders:
        parts = sorted(folder.glob("*.parquet"))
        sequences = sum(pq.read_metadata(part).num_rows for part in parts)
        size = sum(part.stat().st_size for part in parts)
        damaged = len(list(folder.glob("*.damaged")))
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        model, dtype = about.get("scorer") or about.get("generator") or "?", about.get("dtype", "?")
        print(
            f"{folder}: {len(parts)} parts, {sequences:,} sequences, {size / 1e6:.1f} MB"
            f"{f', {damaged} set aside as damaged' if damaged else ''} (weights {model[:12]}, {dtype})"
        )
    for kind, sums in usage(store).items():
        share = 100 * sums["hits"] / max(sums["asked"], 1)
        print(f"{kind}: {sums['hits']:,} of {sums['asked']:,} looked up were found ({share:.0f} %)")


def given_store(name: str, about: str, arguments: list[str] | None) -> Path:
    """The store that a command line means: --store, or that of the study's config."""
    parser = argparse.ArgumentParser(prog=name, description=about, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--configfile", type=Path, help="the study; default: config.yaml beside the Snakefile")
    parser.add_argument("--store", type=Path, help="default: runtime: store of the study")
    given = parser.parse_args(arguments)
    return given.store or Path(load_study([given.configfile or CONFIG]).runtime.store)


if __name__ == "__main__":
    run_command(main)

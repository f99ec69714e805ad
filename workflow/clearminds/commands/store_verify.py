"""Checks every part of a store against the checksum in its name, and sets the damaged aside: `make store-verify`.

python -m clearminds.commands.store_verify [--configfile STUDY.yaml] [--store FOLDER]
"""

import sys
import time

from clearminds.commands.run_command import run_command
from clearminds.commands.store_stats import given_store
from clearminds.reuse.store import damage, namespaces, set_aside

DAY = 86_400  # seconds after which a temporary file has no writer any more


def main(arguments: list[str] | None = None) -> None:
    """Print what is damaged and how many parts are whole; exit code 1 if any was damaged. Args: of the command line."""
    store = given_store("store_verify", __doc__, arguments)
    whole, damaged = 0, 0
    folders = list(namespaces(store))
    if not folders:
        print(f"no store at {store} yet")
    for folder in folders:
        for part in sorted(folder.glob("*.parquet")):
            if (problem := damage(part)) is None:
                whole += 1
                continue
            damaged += 1
            set_aside(part, problem)
            print(f"{part}: {problem}; set aside as .damaged: the next run computes what it held")
        for left in folder.glob(".*.tmp"):
            if time.time() - left.stat().st_mtime > DAY:
                left.unlink(missing_ok=True)
    print(f"{whole} parts are whole, {damaged} damaged")
    if damaged:
        sys.exit(1)


if __name__ == "__main__":
    run_command(main)

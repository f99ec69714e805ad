"""Prints single lines beside Snakemake's: a terminal that has gone, or a full disk under it, ends no run."""

import sys
from contextlib import suppress


def say(line: str) -> None:
    """Print a line to standard error, where that can be written to."""
    with suppress(OSError, ValueError):  # ValueError: it has been closed
        print(line, file=sys.stderr, flush=True)

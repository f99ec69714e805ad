"""Lazy reading of the Parquet files of `contracts`: for stages that need a few columns of large tables."""

from pathlib import Path

import polars as pl

from clearminds.files.contracts import Contract
from clearminds.files.tables import provenance_of


def scan_table(path: Path, contract: Contract) -> pl.LazyFrame:
    """A lazy frame over a file of a given contract, to be collected within `reading.readable`.

    Raises:
        UserError: the file cannot be read, or has another contract or version.
    """
    provenance_of(path, contract)
    return pl.scan_parquet(path)

"""Rows of public data sets, where this machine has them beside the checkout."""

import polars as pl
import pytest

from clearminds.checkout import ROOT

FOLDER = ROOT.parent / "shared" / "data"


def shared_rows(name: str) -> list[dict]:
    """All rows of a file there; a test that asks for one that is missing is skipped."""
    file = FOLDER / f"{name}.parquet"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    return pl.read_parquet(file).to_dicts()

"""Reading the rows of tables so that a damaged one is named, with what to do about it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from clearminds.errors import UserError, one_line

REMEDY = "delete it and run again"


@contextmanager
def readable(*paths: Path, remedy: str = REMEDY) -> Iterator[None]:
    """Turn what libraries raise when a Parquet file cannot be read into an error that names the file.

    Args:
        paths: the files that the block reads, if only when it collects a lazy frame.
        remedy: what the error says to do.

    Raises:
        UserError: one of them is missing, cut short, damaged, or no Parquet file.
    """
    try:
        yield
    except Exception as error:
        if not _of_reading(error):
            raise
        for path in map(Path, paths):
            if not path.exists():
                raise UserError(f"{path}: no such file; run the workflow again to make it") from error
            # Polars says the same of a fault in what it was asked, and not which of many files it read
            doubtful = len(paths) > 1 or not isinstance(error, (pa.ArrowInvalid, OSError))
            if why := _damage(path) if doubtful else one_line(error, 200):
                raise UserError(f"{path}: damaged, or no Parquet file ({why}); {remedy}") from error
        raise


def batches(path: Path, rows: int, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file, so many at a time. Args: columns: which; None: all. Raises: as `readable`."""
    with readable(path):
        yield from pq.ParquetFile(path).iter_batches(rows, columns=columns)


def _of_reading(error: Exception) -> bool:
    if isinstance(error, OSError):
        # a full disk or missing rights have an errno, and no advice of ours would help; Arrow's damage has none
        return not error.errno or isinstance(error, FileNotFoundError)
    polars = sys.modules.get("polars")  # not imported: nothing has been read with it
    return isinstance(error, pa.ArrowInvalid) or bool(polars and isinstance(error, polars.exceptions.ComputeError))


def _damage(path: Path) -> str | None:
    try:
        for _ in pq.ParquetFile(path).iter_batches():
            pass
    except (pa.ArrowInvalid, OSError) as error:
        return one_line(error, 200)
    return None

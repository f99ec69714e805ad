"""Tables that are made piece by piece, written in the groups of rows that one large table would be written in."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from clearminds.files.contracts import Contract
from clearminds.files.tables import table_writer

ROWS = 2**20  # of a group of a table that is written at once: pyarrow's own number


def in_groups(tables: Iterable[pa.Table], rows: int, schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows in tables of so many rows each, but for the last; of no rows one empty table.

    Args:
        tables: of any numbers of rows.
        rows: of each.
        schema: of the tables.
    """
    rest, given = schema.empty_table(), False
    for table in tables:
        rest = pa.concat_tables([rest, table])
        while rest.num_rows >= rows:
            # in one piece: where a column's pieces end, its pages do
            yield rest.slice(0, rows).combine_chunks()
            rest, given = rest.slice(rows), True
    if rest.num_rows or not given:
        yield rest.combine_chunks()


def write_pieces(path: Path, tables: Iterable[pa.Table], contract: Contract, provenance: dict) -> None:
    """Write a table of which a group of rows is in memory at a time: the bytes are those of `tables.write_table`.

    Args:
        path, contract, provenance: as of `tables.write_table`.
        tables: its rows, some at a time.
    """
    with table_writer(path, contract) as writer:
        for group in in_groups(tables, ROWS, contract.schema):
            writer.write(group)
        writer.finish(provenance)

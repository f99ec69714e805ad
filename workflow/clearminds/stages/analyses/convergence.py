"""How the loss on held-out references falls while a variant is trained, as its training wrote it down.

The loss is the mean over all response tokens, whatever the variant masks: so variants are compared on the same scale.
"""

from pathlib import Path

import pyarrow.parquet as pq

from clearminds.files.contracts import CONVERGENCE
from clearminds.files.layout import held_out_of
from clearminds.files.reading import readable

TABLE = CONVERGENCE


def analyse(files: dict[str, list[dict]]) -> list[dict]:
    """Rows of the contract CONVERGENCE. Args: `adapters`, of variants that are trained with `validation_every`."""
    found = []
    for row in files["adapters"]:
        path = held_out_of(Path(row["path"]))
        with readable(path):
            points = pq.read_table(path).to_pylist()
        found += [{"variant": row["variant"], "seed": row["seed"], **point} for point in points]
    return found

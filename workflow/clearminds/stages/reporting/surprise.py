"""Where the base's surprise sits: concentration of the loss and classes of masked tokens, of every study.

A study that asks for these analyses has their tables; of another one that is small enough they are made here.
"""

from collections.abc import Sequence

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from clearminds.files.reading import readable
from clearminds.report.analyses import SHOWN, Section, sections
from clearminds.stages.analyses import masks, nll

ANALYSES = {"nll": (nll.analyse, nll.TABLE), "masks": (masks.analyse, masks.TABLE)}
MOST_TOKENS = 3_000_000  # of one model and target, over all sources and variants


def surprise(files: dict[str, list[dict]], variants: Sequence[str]) -> list[Section]:
    """The sections of the page. Args: `scores`, `sequences`, `masks`, `analyses`; the study's order of variants."""
    stored = {(row["model"], row["target"], row["analysis"]): row for row in files.get("analyses", [])}
    found = []
    for model, target in dict.fromkeys((row["model"], row["target"]) for row in files["scores"]):
        own = {
            kind: [row for row in files.get(kind, []) if (row["model"], row["target"]) == (model, target)]
            for kind in ("scores", "sequences", "masks")
        }
        shown = []
        for name, (analyse, table) in ANALYSES.items():
            if row := stored.get((model, target, name)):
                shown += [one for section in sections([row], variants) for one in section.shown]
            elif _is_small(own) and (name == "nll" or own["sequences"]):
                frame = pl.DataFrame(pa.Table.from_pylist(analyse(own), schema=table.schema))
                shown += [SHOWN[name](frame, variants)] if frame.height else []
        if shown:
            found.append(Section(model, target, shown))
    return found


def others(analyses: Sequence[dict]) -> list[dict]:
    """The tables of analyses that `surprise` does not show."""
    return [row for row in analyses if row["analysis"] not in ANALYSES]


def _is_small(files: dict[str, list[dict]]) -> bool:
    paths = [row["path"] for row in files["scores"]]
    with readable(*paths):
        tokens = sum(pq.read_metadata(path).num_rows for path in paths)
    return tokens * max(1, len(files["masks"])) <= MOST_TOKENS

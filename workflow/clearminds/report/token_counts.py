"""How many tokens each variant's masks leave to train on."""

from collections.abc import Mapping, Sequence

import polars as pl

from clearminds.files import contracts
from clearminds.files.reading import readable
from clearminds.files.scan_table import scan_table

_SUMMED = {
    "examples_all_masked": pl.col("n_kept") == 0,
    "response_tokens": pl.col("n_response"),
    "kept_tokens": pl.col("n_kept"),
}
_COUNTS = [
    pl.len().cast(pl.Int64).alias("examples"),
    *(e.cast(pl.Int64).sum().alias(name) for name, e in _SUMMED.items()),
]


def counts_table(masks: Sequence[Mapping]) -> pl.DataFrame:
    """What each mask file leaves to train on of its target: one row per file, in the order given.

    Args:
        masks: per file `path`, `model`, `target`, `variant`, and `draw` (seed of a rule that draws at random, or None).

    Returns:
        Columns variant, draw, examples, examples_all_masked (kept in their batch with weight 0), response_tokens,
        kept_tokens, kept_share (0 to 1, of response tokens; null where there are none), model, target.
    """
    names = pl.Schema({"model": pl.String, "target": pl.String, "variant": pl.String, "draw": pl.Int64})
    with readable(*(mask["path"] for mask in masks)):
        # what is replayed is of other tasks
        own = [scan_table(mask["path"], contracts.MASKS).filter(task=mask["target"]) for mask in masks]
        counted = pl.collect_all([table.select(_COUNTS) for table in own])
    files = pl.DataFrame([[mask.get(name) for name in names] for mask in masks], schema=names, orient="row")
    counts = pl.concat(counted) if counted else pl.DataFrame(schema=dict.fromkeys(("examples", *_SUMMED), pl.Int64))
    return pl.concat([files, counts], how="horizontal").select(
        "variant",
        "draw",
        "examples",
        "examples_all_masked",
        "response_tokens",
        "kept_tokens",
        kept_share=pl.when(pl.col("response_tokens") > 0).then(pl.col("kept_tokens") / pl.col("response_tokens")),
        model="model",
        target="target",
    )

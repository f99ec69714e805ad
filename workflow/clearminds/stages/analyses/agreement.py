"""How far two variants mask the same tokens: Jaccard index, share of equal decisions, Cohen's kappa.

A token is masked where its weight is 0. Compared are variants that train on the same response to an example, token by
token over the response tokens; a rule that draws at random is there once per draw. With n tokens, a and b of them
masked by either variant and both of them by each: Jaccard both / (a + b - both); equal decisions
(n - a - b + 2 both) / n; kappa (equal - chance) / (1 - chance), where chance = (a b + (n - a) (n - b)) / n^2 (Cohen, "A
coefficient of agreement for nominal scales", 1960).
"""

from itertools import combinations
from pathlib import Path

import polars as pl

from clearminds.files.contracts import MASK_AGREEMENT, MASKS
from clearminds.files.reading import readable
from clearminds.files.scan_table import scan_table

TABLE = MASK_AGREEMENT
KEY = ("source", "example_id", "sample")


def analyse(files: dict[str, list[dict]]) -> list[dict]:
    """Rows of the contract MASK_AGREEMENT, one per pair that shares responses. Args: `masks`."""
    found = []
    for one, other in combinations(files["masks"], 2):
        paths = Path(one["path"]), Path(other["path"])
        with readable(*paths):
            counts = _counts(*paths, one["target"])
        if counts["tokens"]:
            names = {"variant": one["variant"], "draw": one["draw"]}
            others = {"other": other["variant"], "other_draw": other["draw"]}
            found.append({**names, **others, **counts, **agreement(**counts)})
    return found


def agreement(tokens: int, masked: int, masked_by_other: int, masked_by_both: int) -> dict[str, float | None]:
    """The three measures of two sets of masked tokens. Args: the number of all tokens, and of those that are masked."""
    either = masked + masked_by_other - masked_by_both
    equal = (tokens - either + masked_by_both) / tokens
    kept, kept_by_other = tokens - masked, tokens - masked_by_other
    chance = (masked * masked_by_other + kept * kept_by_other) / tokens**2
    return {
        "jaccard": masked_by_both / either if either else None,
        "equal": equal,
        "kappa": (equal - chance) / (1 - chance) if chance < 1 else None,
    }


def _counts(one: Path, other: Path, target: str) -> dict[str, int]:
    """Tokens of the target's responses that two files share, and how many of these either masks and both mask."""
    kept = pl.col("weights").list.eval(pl.element() != 0)
    tables = [scan_table(path, MASKS).filter(task=target) for path in (one, other)]  # what is replayed is left out
    left, right = (table.select(*KEY, "n_response", kept=kept) for table in tables)
    shared = left.join(right, on=KEY, suffix="_other", how="inner")
    # what is no response token has weight 0 in both files, so that kept tokens are counted and masked ones follow
    counts = (
        shared.select(
            "n_response",
            kept=pl.col("kept").list.sum(),
            kept_other=pl.col("kept_other").list.sum(),
            both=(pl.col("kept").cast(pl.List(pl.Int8)) * pl.col("kept_other").cast(pl.List(pl.Int8))).list.sum(),
        )
        .select(pl.all().cast(pl.Int64).sum())
        .collect()
        .row(0, named=True)
    )
    tokens, a, b, both = counts["n_response"], counts["kept"], counts["kept_other"], counts["both"]
    return {
        "tokens": tokens,
        "masked": tokens - a,
        "masked_by_other": tokens - b,
        "masked_by_both": tokens - a - b + both,
    }

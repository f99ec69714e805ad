"""Which tokens each variant masks, by what they are: numbers, identifiers, words, symbols or something else.

A token is masked where its weight is 0. The classes are those of the rule `class`, of the text that a token's id has
where it is first scored.
"""

from pathlib import Path

import polars as pl

from clearminds.files.contracts import MASKED_TOKENS, MASKS, SEQUENCES, TOKEN_SCORES
from clearminds.files.reading import readable
from clearminds.files.scan_table import scan_table
from clearminds.plugins.token_classes import class_of

TABLE = MASKED_TOKENS
KEY = ("source", "example_id", "sample")
OTHER = "other"  # blanks alone, mixtures
CLASSES = ("numbers", "identifiers", "words", "symbols", OTHER)


def analyse(files: dict[str, list[dict]]) -> list[dict]:
    """Rows of the contract MASKED_TOKENS. Args: `masks`, and `scores` and `sequences` of every source."""
    scores = [Path(row["path"]) for row in files["scores"]]
    sequences = {row["source"]: Path(row["path"]) for row in files["sequences"]}
    if not files["masks"]:
        return []
    with readable(*scores):
        texts = _texts(scores)
    found = []
    for row in files["masks"]:
        path = Path(row["path"])
        with readable(path, *sequences.values()):
            counts = masked_by_class(_tokens(path, sequences, row["target"]).collect(engine="streaming"), texts)
        found += [{"variant": row["variant"], "draw": row["draw"], **count} for count in counts]
    return found


def masked_by_class(counts: pl.DataFrame, texts: dict[int, str]) -> list[dict]:
    """Tokens and masked ones of each class that there is.

    Args:
        counts: token_id, tokens, masked.
        texts: of tokens, by id.
    """
    totals: dict[str, list[int]] = {}
    for token_id, tokens, masked in counts.select("token_id", "tokens", "masked").iter_rows():
        total = totals.setdefault(class_of(texts.get(token_id, "")) or OTHER, [0, 0])
        total[0], total[1] = total[0] + tokens, total[1] + masked
    return [{"class": name, "tokens": totals[name][0], "masked": totals[name][1]} for name in CLASSES if name in totals]


def _texts(scores: list[Path]) -> dict[int, str]:
    tables = [scan_table(path, TOKEN_SCORES).select("token_id", "token") for path in scores]
    first = pl.concat(tables).group_by("token_id").agg(pl.col("token").first())
    return dict(first.collect().iter_rows())


def _tokens(masks: Path, sequences: dict[str, Path], target: str) -> pl.LazyFrame:
    """The response tokens of a file of masks, counted by id; what is replayed of other tasks is left out."""
    prompts = pl.concat(
        scan_table(path, SEQUENCES).select(pl.lit(source).alias("source"), "example_id", "sample", "n_prompt")
        for source, path in sequences.items()
    )
    rows = scan_table(masks, MASKS).filter(task=target).join(prompts, on=KEY, how="inner")
    response = pl.col("input_ids", "weights").list.slice(pl.col("n_prompt"), pl.col("n_response"))
    return (
        rows.select(response)
        .explode("input_ids", "weights")
        .group_by(token_id="input_ids")
        .agg(tokens=pl.len().cast(pl.Int64), masked=(pl.col("weights") == 0).sum().cast(pl.Int64))
    )

"""Which response of which example a variant trains on, the same examples for every variant.

Of one source an example offers the response that was accepted, of several the one of lowest perplexity given its prompt
(exp of the mean over its tokens), ties to the lower sample number. `match` then keeps the examples that every listed
source offers, and so does not depend on variants, weight rules or thresholds.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from clearminds.files.reading import readable
from clearminds.stages.masking.columns import ScoreFile

ACCEPTED = ("correct", "unverified")
RESPONSES = 2**13  # of a score table that are read at a time


@dataclass(frozen=True)
class SourceTables:
    """The tables of one source: verdicts, sequences and token scores, as Parquet files."""

    verdicts: Path
    sequences: Path
    scores: Path


@dataclass(frozen=True)
class Choice:
    """The response chosen for an example: where it comes from and which sample it is."""

    source: str
    sample: int


def candidates(tables: SourceTables, max_length: int) -> tuple[pl.DataFrame, int]:
    """The responses of a source that could be trained on, best first within each example.

    Args:
        tables: of the source.
        max_length: most tokens of a conversation; longer ones are left out.

    Returns:
        columns example_id, sample, verdict, mean_nll; and how many responses were too long.
    """
    with readable(tables.scores, tables.sequences, tables.verdicts):
        found = _scored(tables)
    fits = found.filter(pl.col("length") <= max_length)
    return fits.drop("length"), found.height - fits.height


def _scored(tables: SourceTables) -> pl.DataFrame:
    none = pl.DataFrame(schema={"example_id": pl.String, "sample": pl.Int16, "mean_nll": pl.Float64})
    mean_nll = pl.concat([none, *_mean_nll(tables.scores)]).lazy()
    lengths = pl.scan_parquet(tables.sequences).select("example_id", "sample", length=pl.col("input_ids").list.len())
    verdicts = pl.scan_parquet(tables.verdicts).select("example_id", "sample", "verdict")
    keys = ["example_id", "sample"]
    joined = lengths.join(verdicts, on=keys).join(mean_nll, on=keys)
    return joined.sort("example_id", "mean_nll", "sample").collect()


def _mean_nll(scores: Path) -> Iterator[pl.DataFrame]:
    """Columns example_id, sample and mean_nll of all responses, some at a time, so that memory stays small."""
    file = ScoreFile(scores)
    for first in range(0, len(file.starts) - 1, RESPONSES):
        edges = file.starts[first : first + RESPONSES + 1]
        loss = -file.read("logprob", int(edges[0]), int(edges[-1])).to_numpy().astype(np.float64)
        means = np.add.reduceat(loss, edges[:-1] - edges[0]) / np.diff(edges)
        responses = pl.DataFrame(pl.from_arrow(file.responses(first, first + len(means))))
        yield responses.with_columns(pl.Series("mean_nll", means))


def choose(
    source: str, tables: dict[str, SourceTables], when_none_accepted: str, max_length: int, example_ids: list[str]
) -> tuple[dict[str, Choice], Counter]:
    """One response per example of a source.

    Args:
        source: its name.
        tables: of the sources by name; "reference" too where it is fallen back on.
        when_none_accepted: drop, lowest_perplexity (of all its samples), or reference.
        max_length: most tokens of a conversation.
        example_ids: every example, in order.

    Returns:
        the choice per example that has one, in that order; and counts: `accepted`, `none_accepted` (before the
        fallback), `dropped`, and `too_long`, counted in responses.
    """
    found, too_long = candidates(tables[source], max_length)
    accepted = found.filter(pl.col("verdict").is_in(ACCEPTED))
    best = dict(accepted.group_by("example_id", maintain_order=True).first().select("example_id", "sample").iter_rows())
    fallback: dict[str, Choice] = {}
    if when_none_accepted == "lowest_perplexity":
        lowest = found.group_by("example_id", maintain_order=True).first().select("example_id", "sample")
        fallback = {example_id: Choice(source, sample) for example_id, sample in lowest.iter_rows()}
    elif when_none_accepted == "reference":
        references, _ = candidates(tables["reference"], max_length)
        fallback = {row["example_id"]: Choice("reference", row["sample"]) for row in references.iter_rows(named=True)}
    chosen, counts = {}, Counter(accepted=0, none_accepted=0, dropped=0, too_long=too_long)
    for example_id in example_ids:
        if example_id in best:
            counts["accepted"] += 1
            chosen[example_id] = Choice(source, best[example_id])
            continue
        counts["none_accepted"] += 1
        if example_id in fallback:
            chosen[example_id] = fallback[example_id]
        else:
            counts["dropped"] += 1
    return chosen, counts


def match(choices: dict[str, dict[str, Choice]], sources: list[str], example_ids: list[str]) -> list[str]:
    """The examples that every one of `sources` offers, in the order of `example_ids`."""
    return [example_id for example_id in example_ids if all(example_id in choices[source] for source in sources)]


def response_tokens(chosen: dict[str, Choice], tables: dict[str, SourceTables]) -> int:
    """How many tokens the chosen responses have together, end-of-turn tokens included.

    Args:
        chosen: a response per example.
        tables: of the sources of `chosen`.
    """
    total = 0
    for source in dict.fromkeys(choice.source for choice in chosen.values()):
        keys = [(example_id, choice.sample) for example_id, choice in chosen.items() if choice.source == source]
        wanted = pl.LazyFrame(keys, schema={"example_id": pl.String, "sample": pl.Int16}, orient="row")
        scores = tables[source].scores
        with readable(scores):
            found = pl.scan_parquet(scores).join(wanted, on=["example_id", "sample"], how="semi")
            total += found.select(pl.len()).collect().item()
    return total

"""The first response to each example of a source, as token ids with the log-probability of each response token."""

from pathlib import Path

import polars as pl

from clearminds.files.contracts import SEQUENCES, TOKEN_SCORES
from clearminds.files.reading import readable
from clearminds.files.scan_table import scan_table


def first_responses(scores: Path, sequences: Path, most: int | None = None) -> list[dict]:
    """Sample 0 of each example, in the order of the tables.

    Args:
        scores, sequences: tables of the contracts TOKEN_SCORES and SEQUENCES, of the same responses.
        most: so many examples, the first ones; None: all.

    Returns:
        example_id, input_ids, n_prompt, and logprobs: of the response tokens, natural log.
    """
    first = pl.col("sample") == 0
    with readable(scores, sequences):
        rows = scan_table(sequences, SEQUENCES).filter(first).select("example_id", "input_ids", "n_prompt")
        rows = rows if most is None else rows.head(most)
        logprobs = scan_table(scores, TOKEN_SCORES).filter(first).select("example_id", "position", "logprob")
        logprobs = logprobs.join(rows, on="example_id", how="semi").sort("example_id", "position")
        of_responses = logprobs.group_by("example_id").agg(logprobs="logprob")
        return rows.join(of_responses, on="example_id", how="inner", maintain_order="left").collect().to_dicts()

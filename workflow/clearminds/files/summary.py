"""The columns of the result table, and what it calls the model before any training."""

import polars as pl

SUMMARY = pl.Schema(
    {
        "variant": pl.String,  # "base" is the model before fine-tuning
        "seed": pl.Int64,  # null for the base
        "eval_task": pl.String,
        "role": pl.String,  # target, ood, likelihood or drift
        "metric": pl.String,
        "score": pl.Float64,
        "relative_change": pl.Float64,  # percent of the base's score; null where that is 0
        "ti": pl.Float64,  # percent, of the run, repeated on its rows
        "bwt": pl.Float64,
        "model": pl.String,
        "target": pl.String,  # the task that was trained on
        "n_items": pl.Int64,
        "format_ok": pl.Float64,  # share of items in the asked format; null where none was asked
    }
)
BASE = "base"

"""Which variant to use of each model and target, by the rule of `make best`."""

import polars as pl

from clearminds.report.advice import Advice
from clearminds.stages.statistics.choice import LOSS, choose


def advice(summary: pl.DataFrame, comparisons: pl.DataFrame) -> list[Advice]:
    """One for each model and target. Args: as `files.summary` says; without comparisons there is none."""
    if comparisons.is_empty():
        return []
    found = []
    for (model, target), own in summary.partition_by("model", "target", as_dict=True, maintain_order=True).items():
        pairs = comparisons.filter(pl.col("model") == model, pl.col("target") == target)
        choice = choose(own, pairs)
        found.append(Advice(str(model), str(target), choice.variant, choice.why, choice.runner_up, choice.other, LOSS))
    return found

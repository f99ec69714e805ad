"""What a study cost: by stage, and by variant."""

from collections.abc import Mapping, Sequence

import polars as pl

MEASURED = pl.Schema(
    {
        "seconds": pl.Float64,
        "tokens": pl.Int64,
        "tokens_per_second": pl.Float64,
        "peak_share": pl.Float64,  # of the machine's measured matrix products
        "peak_memory_bytes": pl.Int64,
    }
)
# the work of which a variant's cost consists, by what the page calls it
PARTS = {
    "generate_responses": "responses",
    "verify_responses": "responses",
    "score_token_perplexity": "scores",
    "build_masks": "masks",
    "train_adapter": "training",
    "evaluate_adapter": "evaluation",
}


def per_stage(runs: Sequence[Mapping]) -> pl.DataFrame:
    """What each stage cost, over its jobs.

    Args:
        runs: records of jobs: `stage`, and those of `MEASURED` that it has.

    Returns:
        columns stage, jobs, seconds (sum), tokens (sum), tokens_per_second and peak_share (median),
        peak_memory_bytes (largest).
    """
    schema = pl.Schema([("stage", pl.String()), *MEASURED.items()])
    frame = pl.DataFrame([{name: run.get(name) for name in schema} for run in runs], schema=schema)
    counted = pl.col("tokens").count() > 0
    return frame.group_by("stage", maintain_order=True).agg(
        jobs=pl.len(),
        seconds=pl.col("seconds").sum(),
        tokens=pl.when(counted).then(pl.col("tokens").sum()),
        tokens_per_second=pl.col("tokens_per_second").median(),
        peak_share=pl.col("peak_share").median(),
        peak_memory_bytes=pl.col("peak_memory_bytes").max(),
    )


def per_variant(records: Sequence[Mapping]) -> list[dict]:
    """What each variant cost, over its seeds.

    Args:
        records: of each job that a variant needs: `model`, `target`, `variant`, `stage`, and what it measured. A job
            that several variants need, such as the generation of their responses, is there once for each.

    Returns:
        one mapping a variant: these three names; seconds of each of `PARTS`, None where nothing is on record; `seconds`
        of all of them; and of the training `tokens_per_second` (median) and `peak_memory_bytes` (largest).
    """
    found: dict[tuple, list[Mapping]] = {}
    for record in records:
        found.setdefault((record["model"], record["target"], record["variant"]), []).append(record)
    return [
        {**dict(zip(("model", "target", "variant"), key, strict=True)), **_of_variant(own)}
        for key, own in found.items()
    ]


def _of_variant(records: Sequence[Mapping]) -> dict:
    parts: dict[str, float | None] = dict.fromkeys(PARTS.values())
    for record in records:
        part = PARTS[record["stage"]]
        parts[part] = (parts[part] or 0.0) + record["seconds"]
    trainings = per_stage([record for record in records if record["stage"] == "train_adapter"]).to_dicts()
    of_training = trainings[0] if trainings else {}
    return {
        **parts,
        "seconds": sum(filter(None, parts.values())),
        "tokens_per_second": of_training.get("tokens_per_second"),
        "peak_memory_bytes": of_training.get("peak_memory_bytes"),
    }

"""What each variant was trained on and for how long, as its training recorded it, and where variants differ."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

# what is compared, and in words; of tokens a few percent are no difference
COMPARED = {
    "examples": "examples per pass",
    "steps": "optimiser steps",
    "seen_tokens": "tokens seen",
    "kept_tokens": "kept tokens seen",
}
NEARLY = 1.02  # steps are whole, so that equal numbers of tokens are never quite equal
NAMES = ("model", "target", "variant", "seed")


def trained_rows(adapters: Sequence[Mapping], records: Sequence[Mapping]) -> list[dict[str, Any]]:
    """One row a variant, or one a seed where its seeds differ.

    Args:
        adapters: model, target, variant and seed of each training.
        records: of `stages.training.amounts`, in the same order; one without `steps` is of before they were recorded.

    Returns:
        these names, seed None where all seeds are alike, and `examples`, `replayed`, `steps`, `examples_seen`,
        `seen_tokens` and `kept_tokens`.
    """
    keys = ("examples", "replayed", "steps", "examples_seen", "seen_tokens", "kept_tokens")
    rows = [
        {**{name: adapter[name] for name in NAMES}, **{key: record[key] for key in keys}}
        for adapter, record in zip(adapters, records, strict=True)
        if "steps" in record
    ]
    found = []
    for _, group in groupby(rows, key=lambda row: [row[name] for name in NAMES[:3]]):
        seeds = list(group)
        alike = all({**row, "seed": None} == {**seeds[0], "seed": None} for row in seeds)
        found += [{**seeds[0], "seed": None}] if alike else seeds
    return found


def differences(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """In words, what the variants of a target do not have in common. Args: of `trained_rows`."""
    found = []
    for (model, target), group in groupby(rows, key=lambda row: (row["model"], row["target"])):
        variants = list(group)
        for key, words in COMPARED.items():
            least, most = (pick(variants, key=lambda row: row[key]) for pick in (min, max))
            if most[key] > least[key] * (NEARLY if key.endswith("tokens") else 1):
                found.append(
                    f"{model}, {target}: {words} differ between variants: from {least[key]:,} ({least['variant']}) to "
                    f"{most[key]:,} ({most['variant']})"
                )
    return found

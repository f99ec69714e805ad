"""What a study's names imply: the paths of every evaluation, mask and score table, with what each is of.

Written out by the stages that read them all, so that the command line of a sweep of thousands stays short.
"""

import re
from itertools import product
from pathlib import Path


def evaluation_rows(names: dict) -> list[dict]:
    """Every evaluation of a study.

    Args:
        names: results (the study's folder), models, targets, suites, seeds, and variants (each with whether its weight
            rule draws at random).

    Returns:
        path, model, target, variant and seed of each; of the base, variant `base` without target and seed.
    """
    top, rows = f"{names['results']}/evaluations", []
    for model in names["models"]:
        rows += [
            {
                "path": f"{top}/{model}/base/{suite}.parquet",
                "model": model,
                "target": None,
                "variant": "base",
                "seed": None,
            }
            for suite in names["suites"]
        ]
        rows += [
            {
                "path": f"{top}/{model}/{target}/{variant}/seed{seed}/{suite}.parquet",
                "model": model,
                "target": target,
                "variant": variant,
                "seed": seed,
            }
            for target, (variant, _), seed, suite in product(
                names["targets"], names["variants"], names["seeds"], names["suites"]
            )
        ]
    return rows


def adapter_paths(names: dict) -> list[str]:
    """What says that an adapter is whole, of every one of a study. Args: as `evaluation_rows`."""
    return [
        f"{names['results']}/adapters/{model}/{target}/{variant}/seed{seed}/adapter.json"
        for model, target, (variant, _), seed in product(
            names["models"], names["targets"], names["variants"], names["seeds"]
        )
    ]


def mask_rows(names: dict) -> list[dict]:
    """Every mask of a study: model, target, variant, draw (a seed, or None) and path. Args: as `evaluation_rows`."""
    return [
        {
            "model": model,
            "target": target,
            "variant": variant,
            "draw": seed if draws else None,
            "path": f"{names['results']}/masks/{model}/{target}/{variant}{f'.draw{seed}' if draws else ''}.parquet",
        }
        for model, target, (variant, draws) in product(names["models"], names["targets"], names["variants"])
        for seed in (names["seeds"] if draws else names["seeds"][:1])
    ]


def score_rows(names: dict) -> list[dict]:
    """The scores of every source that an arm or the matching uses: model, target, source and path.

    Args:
        names: as for `evaluation_rows`, and sources.
    """
    return [
        {
            "model": model,
            "target": target,
            "source": source,
            "path": f"{names['results']}/scores/{model}/{model}/{target}/train.{source}.parquet",
        }
        for model, target, source in product(names["models"], names["targets"], names["sources"])
    ]


def task_kinds(tasks: list[dict]) -> dict[str, dict]:
    """Evaluated tasks by name, in their order. Args: each with its name and kind."""
    return {task["name"]: task for task in tasks}


def run_records(logs: Path) -> list[Path]:
    """The records of jobs below a folder of logs, without those of a job's own processes."""
    return [path for path in sorted(logs.rglob("*.run.json")) if not re.search(r"\.rank\d+\.run\.json$", path.name)]

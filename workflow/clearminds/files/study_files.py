"""What a study's names imply: the paths of every evaluation, adapter, mask and score table, with what each is of.

Written out by the stages that read them all, so that the command line of a sweep of thousands stays short.
"""

from itertools import product

from clearminds.files.layout import Layout, draw_of


def evaluation_rows(names: dict) -> list[dict]:
    """Every evaluation of a study.

    Args:
        names: results (the study's folder), models, targets, suites, seeds, and variants (each with whether its weight
            rule draws at random).

    Returns:
        path, model, target, variant, seed and suite of each; of the base, variant `base` without target and seed.
    """
    layout = Layout(names["results"])
    rows: list[dict] = []
    for model in names["models"]:
        bases = [{"model": model, "target": None, "variant": "base", "seed": None, "suite": s} for s in names["suites"]]
        rows += [{"path": layout.base_evaluation.path(**row), **row} for row in bases]
        rows += [
            {"path": layout.evaluation.path(**row, suite=suite), **row, "suite": suite}
            for row in _trained({**names, "models": [model]})
            for suite in names["suites"]
        ]
    return rows


def adapter_paths(names: dict) -> list[str]:
    """What says that an adapter is whole, of every one of a study. Args: as `evaluation_rows`."""
    return [row["path"] for row in adapter_rows(names)]


def adapter_rows(names: dict) -> list[dict]:
    """Every adapter of a study: model, target, variant, seed and path. Args: as `evaluation_rows`."""
    adapter = Layout(names["results"]).adapter
    return [{**row, "path": adapter.path(**row)} for row in _trained(names)]


def model_rows(names: dict) -> list[dict]:
    """Every model of a study: model and path. Args: as `evaluation_rows`."""
    model = Layout(names["results"]).model
    return [{"model": name, "path": model.path(model=name)} for name in names["models"]]


def rehearsal_rows(names: dict) -> list[dict]:
    """The rehearsal of every model: model and path. Args: as `evaluation_rows`."""
    rehearsal = Layout(names["results"]).rehearsal
    return [{"model": model, "path": rehearsal.path(model=model)} for model in names["models"]]


def mask_rows(names: dict) -> list[dict]:
    """Every mask of a study: model, target, variant, draw (a seed, or None) and path. Args: as `evaluation_rows`."""
    rows = [
        {"model": model, "target": target, "variant": variant, "draw": seed if draws else None}
        for model, target, (variant, draws) in product(names["models"], names["targets"], names["variants"])
        for seed in (names["seeds"] if draws else names["seeds"][:1])
    ]
    masks = Layout(names["results"]).masks
    return [{**row, "path": masks.path(**{**row, "draw": draw_of(row["draw"])})} for row in rows]


def score_rows(names: dict) -> list[dict]:
    """The scores of every source that a variant or the matching uses: model, target, source and path.

    Args:
        names: as for `evaluation_rows`, and sources.
    """
    return source_rows(names, "scores")


def source_rows(names: dict, kind: str) -> list[dict]:
    """The tables of one kind of every source: model, target, source and path.

    Args:
        names: as of `score_rows`.
        kind: a name in `Layout`, such as scores, sequences, responses. It is the model itself that scores.
    """
    rows = [
        {"model": model, "target": target, "source": source}
        for model, target, source in product(names["models"], names["targets"], names["sources"])
    ]
    tables = getattr(Layout(names["results"]), kind)
    return [{**row, "path": tables.path(scorer=row["model"], task=row["target"], split="train", **row)} for row in rows]


def task_kinds(tasks: list[dict]) -> dict[str, dict]:
    """Evaluated tasks by name, in their order. Args: each with its name and kind."""
    return {task["name"]: task for task in tasks}


def _trained(names: dict) -> list[dict]:
    """Model, target, variant and seed of every training."""
    return [
        {"model": model, "target": target, "variant": variant, "seed": seed}
        for model, target, (variant, _), seed in product(
            names["models"], names["targets"], names["variants"], names["seeds"]
        )
    ]

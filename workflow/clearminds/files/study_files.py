"""What a study's names imply: the paths of every evaluation, adapter, mask and score table, with what each is of.

Written out by the stages that read them all, so that the command line of a sweep of thousands stays short.
"""

from itertools import product

from clearminds.files.layout import Layout, draw_of


def evaluation_rows(names: dict) -> list[dict]:
    """Every evaluation of a study.

    Args:
        names: results (the study's folder), models, targets, suites, seeds, variants (each with whether its weight
            rule draws at random); if there are any, `only`: the targets of variants that are not trained on all,
            `given`: of what is not trained here variant, model and targets, and `seen`: variant -> target -> other
            tasks whose data the variant sees too, by replay or by its start.

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
            for row in (*_trained({**names, "models": [model]}), *_given(names, model))
            for suite in names["suites"]
        ]
    return rows


def train_examples(names: dict) -> dict[str, str]:
    """The training examples of every target: target -> path. Args: as `evaluation_rows`."""
    examples = Layout(names["results"]).examples
    return {target: examples.path(task=target, split="train") for target in names["targets"]}


def seen_examples(names: dict) -> dict[str, str]:
    """The training examples of every target, and of what is seen beside them: task -> path. Args: likewise."""
    beside = [task for targets in names.get("seen", {}).values() for tasks in targets.values() for task in tasks]
    return train_examples({**names, "targets": dict.fromkeys([*names["targets"], *beside])})


def adapter_paths(names: dict) -> list[str]:
    """What says that an adapter is whole, of every one of a study. Args: as `evaluation_rows`."""
    return [row["path"] for row in adapter_rows(names)]


def adapter_rows(names: dict) -> list[dict]:
    """Every adapter of a study: model, target, variant, seed and path. Args: as `evaluation_rows`."""
    adapter = Layout(names["results"]).adapter
    return [{**row, "path": adapter.path(**row)} for row in _trained(names)]


def given_paths(names: dict) -> list[str]:
    """What says that something which is not trained here is whole, of all that there is. Args: as `evaluation_rows`."""
    return [Layout(names["results"]).given.path(**row) for row in names.get("given", [])]


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
        if target in names.get("only", {}).get(variant, names["targets"])
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
        if target in names.get("only", {}).get(variant, names["targets"])
    ]


def _given(names: dict, model: str) -> list[dict]:
    """Model, target, variant and seed of what is not trained here: shown as of the first seed, though it has none."""
    return [
        {"model": model, "target": target, "variant": row["variant"], "seed": names["seeds"][0]}
        for row in names.get("given", [])
        for target in row["targets"]
        if row["model"] == model
    ]

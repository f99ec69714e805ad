"""From evaluations to tables: one score per run and task, its change, TI and BWT, and what of it can be told apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from clearminds.errors import UserError
from clearminds.files.settings import settings
from clearminds.files.summary import BASE, SUMMARY
from clearminds.stages.metrics import backward_transfer, target_improvement
from clearminds.stages.statistics import run_columns
from clearminds.stages.statistics.comparisons import comparisons
from clearminds.stages.statistics.groups import Group
from clearminds.stages.task_results import TaskResult, refuse_unpaired, task_results
from clearminds.stages.without_overlap import Without, by_task, overlaps

Run = tuple[str, str | None, str, int | None]  # model, target, variant, seed; the base has no target and no seed


@settings
class Settings:
    """What the result table depends on.

    Attributes:
        names: what implies every evaluation, see `files.study_files.evaluation_rows`.
        tasks: each evaluated task with its `name`, `evaluate`, `metric` and `filter`, and `tests`, the targets whose
            score it gives in place of their own test split, if there are any.
    """

    names: dict[str, Any]
    tasks: list[dict[str, Any]]


@dataclass(frozen=True)
class Tables:
    """What the stage makes: the result table, every comparison, and overlapping items (`files.summary`)."""

    summary: pl.DataFrame
    comparisons: pl.DataFrame
    overlaps: pl.DataFrame


def summarise(evaluations: Sequence[Mapping], tasks: Mapping[str, Mapping]) -> pl.DataFrame:
    """The result table alone. Args, raises: as of `tables`."""
    return tables(evaluations, tasks).summary


def tables(
    evaluations: Sequence[Mapping],
    tasks: Mapping[str, Mapping],
    trained: Mapping[str, Sequence[Mapping]] | None = None,
    seen: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
) -> Tables:
    """One row per model, target, variant, seed and evaluation task, as `SUMMARY` says, and the comparisons.

    Args:
        evaluations: one mapping per evaluation Parquet: `path`; `model`; `target` and `seed` (None for the base);
            `variant`. Several files of one run (its suites) are put together. Their order gives the order of variants.
        tasks: per evaluation task `evaluate` (accuracy, likelihood, drift or lm_eval), `metric` and `filter` (None: the
            first known one that the file has), and `tests` where there are any. Their order gives the order of rows.
        trained: target, or a task of `seen` -> its training examples, rows of the contract EXAMPLES; None: evaluated
            items are not compared with them.
        seen: variant -> target -> other tasks that it was trained on too, as of `study_files.evaluation_rows`.

    Returns:
        The rows of each target start with the base's, whose changes are 0. TI and BWT use accuracy tasks only; they
        are null where no such task exists or a base score is 0 (`undefined` says which).

    Raises:
        UserError: a task is missing from a run, a score is missing, or a run and the base saw different items.
    """
    paths: dict[Run, list[Path]] = {}
    for given in evaluations:
        run = given["model"], given["target"], given["variant"], given["seed"]
        paths.setdefault(run, []).append(Path(given["path"]))
    adapters = [run for run in paths if run[1] is not None]
    if not adapters:
        raise UserError("no evaluation of a fine-tuned model was given, so there is nothing to compare the base with")

    base_paths = [path for run, own in paths.items() if run[2] == BASE for path in own]
    copies = overlaps(base_paths, trained or {})
    rows: list[dict] = []
    groups: list[Group] = []
    variants = list(dict.fromkeys(run[2] for run in adapters))
    for model, target in dict.fromkeys(run[:2] for run in adapters):
        if (model, None, BASE, None) not in paths:
            raise UserError(f"model {model}: no evaluation of the base model; evaluate it on the same suites")
        base = task_results(paths[model, None, BASE, None], tasks)
        own = sorted((r for r in adapters if r[:2] == (model, target)), key=lambda r: (variants.index(r[2]), r[3]))
        results = {run: task_results(paths[run], tasks) for run in own}
        for after in results.values():
            refuse_unpaired(base, after)
        group = _group(model, str(target), base, results, tasks)
        groups.append(group)
        also = {run[2]: (seen or {}).get(run[2], {}).get(str(target), []) for run in own}
        also[BASE] = [task for tasks_of_one in also.values() for task in tasks_of_one]
        without = {
            variant: Without(group, base, by_task(copies, [str(target), *others]), tasks)
            for variant, others in (also.items() if trained is not None else ())
        }
        for run, after in [((model, target, BASE, None), base), *results.items()]:
            without_overlap = without[run[2]].columns(after) if without else {}
            rows += [{**row, **without_overlap.get(row["eval_task"], {})} for row in _rows(group, run, after, base)]
    return Tables(pl.DataFrame(rows, schema=SUMMARY), comparisons(groups), copies)


def _group(
    model: str,
    target: str,
    base: Mapping[str, TaskResult],
    results: Mapping[Run, Mapping[str, TaskResult]],
    tasks: Mapping[str, Mapping],
) -> Group:
    variants: dict[str, dict] = {}
    for (_, _, variant, seed), after in results.items():
        variants.setdefault(variant, {})[seed] = {task: after[task].measured for task in tasks}
    roles = {task: _role(task, target, settings) for task, settings in tasks.items()}
    return Group(model, target, roles, {task: base[task].measured for task in tasks}, variants)


def _rows(group: Group, run: Run, after: Mapping[str, TaskResult], base: Mapping[str, TaskResult]) -> list[dict]:
    model, target, variant, seed = run
    ood = group.others
    defined = ood and not group.left_out
    bwt = backward_transfer({t: after[t].score for t in ood}, {t: base[t].score for t in ood}) if defined else None
    change = {task: _change(after[task].score, base[task].score) for task in group.roles}
    of_run = run_columns.of_remaining(group, change)
    if variant != BASE:
        of_run |= run_columns.of_variant(group, variant)
    return [
        {
            "variant": variant,
            "seed": seed,
            "eval_task": task,
            "role": role,
            "metric": after[task].metric,
            "score": after[task].score,
            "relative_change": change[task],
            "ti": None if group.tested is None else change[group.tested],
            "bwt": bwt,
            "model": model,
            "target": target,
            "n_items": after[task].items.total(),
            "format_ok": after[task].format_ok,
            "wrong_answer": after[task].measured.wrong_answer,
            "format_failure": after[task].measured.format_failure,
            **run_columns.of_items(after[task].measured, base[task].measured, variant == BASE),
            **of_run,
        }
        for task, role in group.roles.items()
    ]


def _role(task: str, target: str, settings: Mapping) -> str:
    if settings["evaluate"] in ("likelihood", "drift"):
        return settings["evaluate"]
    return "target" if task == target or target in settings.get("tests", ()) else "ood"


def _change(after: float, base: float) -> float | None:
    return target_improvement(after, base) if base else None

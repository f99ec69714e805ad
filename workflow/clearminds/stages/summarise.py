"""From evaluations to the summary: one score per run and task, its change, TI and BWT."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import polars as pl

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.reading import readable
from clearminds.files.scan_table import scan_table
from clearminds.files.settings import settings
from clearminds.files.summary import BASE, SUMMARY
from clearminds.stages.metrics import backward_transfer, drift_score, likelihood_score, target_improvement

# What counts for a task of lm-evaluation-harness whose metric or filter the config leaves open: the first one it has.
HARNESS_METRICS = ("acc", "exact_match")
HARNESS_FILTERS = ("strict-match", "flexible-extract", "none")


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
class _TaskResult:
    path: Path
    metric: str
    score: float
    format_ok: float | None
    items: Counter  # (subtask, doc_hash)


def summarise(evaluations: Sequence[Mapping], tasks: Mapping[str, Mapping]) -> pl.DataFrame:
    """One row per model, target, variant, seed and evaluation task, as `SUMMARY` says.

    Args:
        evaluations: one mapping per evaluation Parquet: `path`; `model`; `target` and `seed` (None for the base);
            `variant`. Several files of one run (its suites) are put together. Their order gives the order of variants.
        tasks: per evaluation task `evaluate` (accuracy, likelihood, drift or lm_eval), `metric` and `filter` (None: the
            first known one that the file has), and `tests` where there are any. Their order gives the order of rows.

    Returns:
        The rows of each target start with the base's, whose changes are 0. TI and BWT use accuracy tasks only; they
        are null where no such task exists or a base score is 0 (`undefined` says which).

    Raises:
        UserError: a task is missing from a run, a score is missing, or a run and the base saw different items.
    """
    # of the base target and seed are None, of adapters never
    run: Mapping | tuple[str, Any, str, Any]  # an evaluation, and further down the key of a run
    paths: dict[tuple[str, Any, str, Any], list[Path]] = {}
    for run in evaluations:
        paths.setdefault((run["model"], run["target"], run["variant"], run["seed"]), []).append(Path(run["path"]))
    adapters = [key for key in paths if key[1] is not None]
    if not adapters:
        raise UserError("no evaluation of a fine-tuned model was given, so there is nothing to compare the base with")
    variants = list(dict.fromkeys(key[2] for key in adapters))

    rows: list[dict] = []
    for model, target in dict.fromkeys(key[:2] for key in adapters):
        if (model, None, BASE, None) not in paths:
            raise UserError(f"model {model}: no evaluation of the base model; evaluate it on the same suites")
        base = _results(paths[model, None, BASE, None], tasks)
        rows += _rows(model, target, BASE, None, base, base, tasks)
        runs = sorted((k for k in adapters if k[:2] == (model, target)), key=lambda k: (variants.index(k[2]), k[3]))
        for run in runs:
            after = _results(paths[run], tasks)
            _refuse_unpaired(base, after)
            rows += _rows(*run, after, base, tasks)
    return pl.DataFrame(rows, schema=SUMMARY)


def _rows(model, target, variant, seed, after, base, tasks) -> list[dict]:
    roles = {task: _role(task, target, settings) for task, settings in tasks.items()}
    tested = next((task for task, role in roles.items() if role == "target"), None)
    ood = [task for task, role in roles.items() if role == "ood"]
    defined = ood and all(base[task].score for task in ood)
    bwt = backward_transfer({t: after[t].score for t in ood}, {t: base[t].score for t in ood}) if defined else None
    change = {task: _change(after[task].score, base[task].score) for task in tasks}
    return [
        {
            "variant": variant,
            "seed": seed,
            "eval_task": task,
            "role": roles[task],
            "metric": result.metric,
            "score": result.score,
            "relative_change": change[task],
            "ti": None if tested is None else change[tested],
            "bwt": bwt,
            "model": model,
            "target": target,
            "n_items": result.items.total(),
            "format_ok": result.format_ok,
        }
        for task, result in ((task, after[task]) for task in tasks)
    ]


def _role(task: str, target: str, settings: Mapping) -> str:
    if settings["evaluate"] in ("likelihood", "drift"):
        return settings["evaluate"]
    return "target" if task == target or target in settings.get("tests", ()) else "ood"


def _change(after: float, base: float) -> float | None:
    return target_improvement(after, base) if base else None


def _results(paths: list[Path], tasks: Mapping[str, Mapping]) -> dict[str, _TaskResult]:
    results: dict[str, _TaskResult] = {}
    columns = ("eval_task", "subtask", "doc_hash", "metric", "filter", "score", "n_tokens", "format_ok")
    for path in paths:
        with readable(path):
            frame = scan_table(path, contracts.EVALUATION).select(columns).collect()
        for (task,), rows in frame.partition_by("eval_task", as_dict=True).items():
            if task not in tasks:
                raise UserError(f"{path}: holds task {task}, which is not among the evaluated ones: {', '.join(tasks)}")
            if task not in results:  # two suites that share a task evaluate it alike; it counts once
                results[task] = _result(path, task, rows, tasks[task])
    for task in tasks:
        if task not in results:
            raise UserError(
                f"{', '.join(map(str, paths))}: no rows of task {task}; delete the file and run the workflow again"
            )
    return results


def _result(path: Path, task: str, rows: pl.DataFrame, settings: Mapping) -> _TaskResult:
    kind = settings["evaluate"]
    if kind in ("likelihood", "drift"):
        metric, score_of = {"likelihood": ("nll", likelihood_score), "drift": ("kl", drift_score)}[kind]
        rows = _chosen(path, task, rows, "metric", [metric])
        score = score_of(
            math.fsum(_finite(path, task, rows)),
            rows["n_tokens"].cast(pl.Int64).sum(),  # type: ignore[arg-type]  # polars: a number of any kind
        )
        label = f"exp(-mean {metric})"
    else:
        rows = _chosen(path, task, rows, "metric", [settings["metric"]] if settings["metric"] else HARNESS_METRICS)
        rows = _chosen(path, task, rows, "filter", [settings["filter"]] if settings["filter"] else HARNESS_FILTERS)
        # fmean adds exactly, so that the order of rows moves no bit of the score
        score = fmean(fmean(_finite(path, task, subtask)) for subtask in rows.partition_by("subtask"))
        metric, chosen_filter = rows.select("metric", "filter").row(0)
        label = f"{metric},{chosen_filter}" if kind == "lm_eval" else metric
    return _TaskResult(
        path,
        label,
        score,
        rows["format_ok"].mean(),  # type: ignore[arg-type]  # polars: a value of any kind
        Counter(rows.select("subtask", "doc_hash").rows()),
    )


def _chosen(path: Path, task: str, rows: pl.DataFrame, column: str, wanted: Sequence[str]) -> pl.DataFrame:
    """The rows of the first wanted metric or filter that the task has; every subtask and every item must have it."""
    present = rows[column].unique().to_list()
    choice = next((value for value in wanted if value in present), None)
    if choice is None:
        raise UserError(
            f"{path}: task {task} has no {column} {' or '.join(wanted)}, "
            f"only {', '.join(map(str, sorted(present, key=str)))}; name one of them as the task's {column}"
        )
    chosen = rows.filter(pl.col(column) == choice)
    if lacking := set(rows["subtask"]) - set(chosen["subtask"]):
        raise UserError(
            f"{path}: task {task}: {len(lacking)} subtasks lack the {column} {choice}, such as {min(lacking, key=str)}"
        )
    return chosen


def _finite(path: Path, task: str, rows: pl.DataFrame) -> list[float]:
    """The scores, every one a number: a blank is refused, as it is neither a 0 nor nothing."""
    if missing := rows.filter(~pl.col("score").is_finite().fill_null(False)).height:
        raise UserError(
            f"{path}: task {task}: {missing} of {rows.height} rows lack a finite score; evaluate them again"
        )
    return rows["score"].to_list()


def _refuse_unpaired(base: dict[str, _TaskResult], after: dict[str, _TaskResult]) -> None:
    for task, before in base.items():
        only_base, only_run = before.items - after[task].items, after[task].items - before.items
        if only_base or only_run:
            raise UserError(
                f"task {task}: {only_base.total()} items only in {before.path} and {only_run.total()} only in "
                f"{after[task].path}; a comparison needs the same items on both sides: "
                "delete the older file and run the workflow again"
            )
        if before.metric != after[task].metric:
            raise UserError(
                f"task {task}: {before.path} has {before.metric}, {after[task].path} has {after[task].metric}; "
                "name the task's metric and filter in the config"
            )

"""The result of one run on each evaluated task, read from its evaluations; refuses what cannot be compared."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import polars as pl

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.reading import readable
from clearminds.files.scan_table import scan_table
from clearminds.stages.metrics import drift_score, likelihood_score
from clearminds.stages.statistics.measured import Measured, mean_score, token_score

# What counts for a task of lm-evaluation-harness whose metric or filter the config leaves open: the first one it has.
HARNESS_METRICS = ("acc", "exact_match")
HARNESS_FILTERS = ("strict-match", "flexible-extract", "none")
# the metric of an item, and the score that its sum makes
TOKEN_SCORES = {"likelihood": ("nll", likelihood_score), "drift": ("kl", drift_score)}


@dataclass(frozen=True)
class TaskResult:
    """One run's result on one task.

    Attributes:
        path: of the evaluation.
        metric: what counts, with the filter where the harness has several.
        score: between 0 and 1.
        format_ok: share of items in the asked format; None where none was asked.
        items: how often each (subtask, doc_hash) occurs.
        rows: the items that count, in the order of `measured`: subtask, doc_hash, score, n_tokens, format_ok.
        measured: what the statistics need of it.
    """

    path: Path
    metric: str
    score: float
    format_ok: float | None
    items: Counter
    rows: pl.DataFrame
    measured: Measured


def task_results(paths: list[Path], tasks: Mapping[str, Mapping]) -> dict[str, TaskResult]:
    """The results of one run by task.

    Args:
        paths: its evaluations.
        tasks: as of `summarise.summarise`.

    Raises:
        UserError: a task is missing or unknown, or a score is.
    """
    results: dict[str, TaskResult] = {}
    columns = ("eval_task", "subtask", "doc_id", "doc_hash", "metric", "filter", "score", "n_tokens", "format_ok")
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


def _result(path: Path, task: str, rows: pl.DataFrame, settings: Mapping) -> TaskResult:
    kind = settings["evaluate"]
    if kind in ("likelihood", "drift"):
        metric, _ = TOKEN_SCORES[kind]
        rows = _chosen(path, task, rows, "metric", [metric])
        label = f"exp(-mean {metric})"
    else:
        rows = _chosen(path, task, rows, "metric", [settings["metric"]] if settings["metric"] else HARNESS_METRICS)
        rows = _chosen(path, task, rows, "filter", [settings["filter"]] if settings["filter"] else HARNESS_FILTERS)
        metric, chosen_filter = rows.select("metric", "filter").row(0)
        label = f"{metric},{chosen_filter}" if kind == "lm_eval" else metric
    _refuse_blanks(path, task, rows)
    # one order for all runs, so that equal items give equal bytes and stand at equal places
    rows = rows.sort("subtask", "doc_hash", "doc_id").select("subtask", "doc_hash", "score", "n_tokens", "format_ok")
    return of_rows(path, label, rows, kind)


def of_rows(path: Path, label: str, rows: pl.DataFrame, kind: str) -> TaskResult:
    """A result from the items that count. Args: rows: as of `TaskResult`; kind: the task's `evaluate`."""
    if kind in ("likelihood", "drift"):
        tokens = rows["n_tokens"].cast(pl.Int64).sum()
        score = TOKEN_SCORES[kind][1](math.fsum(rows["score"]), tokens)  # type: ignore[arg-type]  # polars: any number
        measured = token_score(rows["score"].to_numpy(), rows["n_tokens"].cast(pl.Float64).to_numpy(), score)
    else:
        # fmean adds exactly, so that the order of rows moves no bit of the score
        score = fmean(fmean(subtask["score"]) for subtask in rows.partition_by("subtask"))
        measured = mean_score(rows["score"].to_numpy(), rows["subtask"].fill_null("").to_numpy(), score)
    wrong = 1 - pl.col("score")
    asked = rows.drop_nulls("format_ok")
    mistakes = asked.select(
        wrong_answer=(wrong * pl.col("format_ok")).mean(), format_failure=(wrong * ~pl.col("format_ok")).mean()
    ).row(0, named=True)
    return TaskResult(
        path=path,
        metric=label,
        score=score,
        format_ok=asked["format_ok"].mean(),  # type: ignore[arg-type]  # polars: a value of any kind
        items=Counter(rows.select("subtask", "doc_hash").rows()),
        rows=rows,
        measured=replace(measured, **mistakes),
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


def _refuse_blanks(path: Path, task: str, rows: pl.DataFrame) -> None:
    """A blank is refused, as it is neither a 0 nor nothing."""
    if missing := rows.filter(~pl.col("score").is_finite().fill_null(False)).height:
        raise UserError(
            f"{path}: task {task}: {missing} of {rows.height} rows lack a finite score; evaluate them again"
        )


def refuse_unpaired(base: dict[str, TaskResult], after: dict[str, TaskResult]) -> None:
    """Refuse two runs that saw other items, or whose scores are of another metric.

    Raises:
        UserError: that is so.
    """
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

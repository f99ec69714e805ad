"""The same few evaluation items, answered by every variant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from clearminds.files import contracts
from clearminds.files.reading import readable
from clearminds.files.scan_table import scan_table


@dataclass(frozen=True)
class Sample:
    """One evaluation item and what each variant answered."""

    model: str
    target: str
    eval_task: str
    prompt: str
    expected: str
    responses: list[dict]  # variant, seed, response, score, format_ok


def judged_tasks(tasks: Mapping[str, Mapping]) -> dict[str, Mapping]:
    """Tasks whose items are judged, of which it is known by what metric. Args: as for `stages.summarise.summarise`."""
    return {
        name: settings
        for name, settings in tasks.items()
        if settings["evaluate"] not in ("likelihood", "drift") and settings["metric"] is not None
    }


def scan_scored(path: Path, tasks: Mapping[str, Mapping]) -> pl.LazyFrame:
    """The rows of an evaluation whose score is the one that the result table shows.

    Args:
        path: of the evaluation.
        tasks: those of `judged_tasks`.
    """
    chosen = pl.any_horizontal(
        pl.lit(False),
        *(
            (pl.col("eval_task") == name) & (pl.col("metric") == s["metric"]) & (pl.col("filter") == s["filter"])
            for name, s in tasks.items()
        ),
    )
    return scan_table(path, contracts.EVALUATION).filter(chosen)


def sample_responses(evaluations: Sequence[Mapping], tasks: Mapping[str, Mapping], per_task: int = 2) -> list[Sample]:
    """The same few items of each accuracy task, answered by every variant (its first seed); responses come untrimmed.

    Args:
        evaluations: as for `summarise.summarise`.
        tasks: as for `summarise.summarise`; tasks of likelihood or drift, or without a metric, are left out.
        per_task: how many items; those of the lowest doc_hash, a choice that no result can sway.
    """
    wanted = judged_tasks(tasks)
    samples: dict[tuple, Sample] = {}
    seen = set()
    runs = [run for run in evaluations if run["target"] is not None]
    for model, target in dict.fromkeys((run["model"], run["target"]) for run in runs):
        bases = [run for run in evaluations if run["model"] == model and run["target"] is None]
        for run in bases + [run for run in runs if (run["model"], run["target"]) == (model, target)]:
            for row in _first_items(Path(run["path"]), wanted, per_task):
                answer = (model, target, row["eval_task"], row["doc_hash"], run["variant"])
                if answer in seen:  # by its first seed
                    continue
                seen.add(answer)
                sample = Sample(model, target, row["eval_task"], row["prompt"] or "", row["target"] or "", [])
                shown = {name: row[name] for name in ("response", "score", "format_ok")}
                samples.setdefault(answer[:4], sample).responses.append(
                    {"variant": run["variant"], "seed": run["seed"], **shown}
                )
    names = list(wanted)
    return sorted(samples.values(), key=lambda s: names.index(s.eval_task))


def _first_items(path: Path, tasks: Mapping[str, Mapping], per_task: int) -> list[dict]:
    with readable(path):
        return _items_of(scan_scored(path, tasks), per_task)


def _items_of(rows: pl.LazyFrame, per_task: int) -> list[dict]:
    hashes = rows.select("eval_task", "doc_hash").unique().sort("doc_hash").group_by("eval_task").head(per_task)
    columns = ("eval_task", "doc_hash", "prompt", "target", "response", "score", "format_ok")
    return (
        rows.join(hashes, on=["eval_task", "doc_hash"], how="semi")
        .select(columns)
        .sort("eval_task", "doc_hash")
        .collect()
        .to_dicts()
    )

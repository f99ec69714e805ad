"""What scores, TI and BWT are without the items that are in the training data too."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from clearminds.files import contracts
from clearminds.files.reading import readable
from clearminds.files.scan_table import scan_table
from clearminds.files.summary import OVERLAPS
from clearminds.stages.metrics import backward_transfer, target_improvement
from clearminds.stages.statistics.groups import Group
from clearminds.stages.statistics.overlap import Item, TrainingTexts
from clearminds.stages.task_results import TaskResult, of_rows


def overlaps(evaluations: Iterable[Path], trained: Mapping[str, Sequence[Mapping]]) -> pl.DataFrame:
    """The evaluated items that are in the training data of a target, as `OVERLAPS` says.

    Args:
        evaluations: of a base, which holds the prompts of all suites.
        trained: target -> its training examples, rows of the contract EXAMPLES.
    """
    texts = {target: TrainingTexts(examples) for target, examples in trained.items()}
    rows = []
    evaluated = _items(evaluations)
    for task, items in evaluated.items():
        others = [item.prompt for other, own in evaluated.items() if other != task for item in own]
        for target, known in texts.items():
            rows += [{"target": target, **row} for row in known.overlaps(task, items, others)]
    return pl.DataFrame(rows, schema=OVERLAPS).sort("target", "eval_task", "subtask", "doc_hash")


def _items(evaluations: Iterable[Path]) -> dict[str, list[Item]]:
    columns = ("eval_task", "subtask", "doc_id", "doc_hash", "prompt", "target")
    found: dict[str, dict[tuple, Item]] = {}
    for path in evaluations:
        with readable(path):
            frame = scan_table(path, contracts.EVALUATION).select(columns).unique(maintain_order=True).collect()
        for task, subtask, *named in frame.iter_rows():
            doc_id, doc_hash, prompt, target = (text or "" for text in named)
            found.setdefault(task, {}).setdefault((subtask, doc_hash), Item(subtask, doc_id, doc_hash, prompt, target))
    return {task: list(items.values()) for task, items in found.items()}


def by_task(found: pl.DataFrame, trained: Iterable[str]) -> dict[str, set[tuple]]:
    """The items (subtask, doc_hash) by task that are in the training data of some tasks.

    Args:
        found: of `overlaps`.
        trained: names of these tasks.
    """
    items: dict[str, set[tuple]] = {}
    own = found.filter(pl.col("target").is_in(list(trained)))
    for task, *item in own.select("eval_task", "subtask", "doc_hash").iter_rows():
        items.setdefault(task, set()).add(tuple(item))
    return items


class Without:
    """The results of one target without items that are in the training data.

    Args:
        group: the runs.
        base: the base's results by task.
        items: of `by_task`.
        tasks: as of `summarise.tables`.
    """

    def __init__(
        self,
        group: Group,
        base: Mapping[str, TaskResult],
        items: Mapping[str, set[tuple]],
        tasks: Mapping[str, Mapping],
    ):
        self._group, self._items, self._tasks = group, items, tasks
        self._base = self._scores(base)

    def columns(self, after: Mapping[str, TaskResult]) -> dict[str, dict]:
        """The columns of a run, by task."""
        scores, group = self._scores(after), self._group
        ti = None
        if (tested := group.tested) is not None and tested in self._items:
            ti = self._change(scores, tested)
        bwt = None
        if any(task in self._items for task in group.others):
            pairs = {task: (scores[task], self._base[task]) for task in group.others}
            if all(score is not None and before for score, before in pairs.values()):
                bwt = backward_transfer({t: s for t, (s, _) in pairs.items()}, {t: b for t, (_, b) in pairs.items()})
        return {
            task: {
                "n_overlap": len(self._items.get(task, ())),
                "score_without_overlap": scores[task] if task in self._items else None,
                "ti_without_overlap": ti,
                "bwt_without_overlap": bwt,
            }
            for task in group.roles
        }

    def _change(self, scores: Mapping[str, float | None], task: str) -> float | None:
        score, before = scores[task], self._base[task]
        return target_improvement(score, before) if score is not None and before else None

    def _scores(self, results: Mapping[str, TaskResult]) -> dict[str, float | None]:
        return {task: self._score(task, result) for task, result in results.items()}

    def _score(self, task: str, result: TaskResult) -> float | None:
        """None: no item is left."""
        if task not in self._items:
            return result.score
        kept = [item not in self._items[task] for item in result.rows.select("subtask", "doc_hash").iter_rows()]
        rows = result.rows.filter(pl.Series(kept, dtype=pl.Boolean))
        return of_rows(result.path, result.metric, rows, self._tasks[task]["evaluate"]).score if rows.height else None

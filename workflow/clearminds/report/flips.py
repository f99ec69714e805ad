"""Items that a variant has lost or gained against the base, with both answers and where these differ."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import polars as pl

from clearminds.files.reading import readable
from clearminds.files.summary import BASE
from clearminds.report.embedded import embedded
from clearminds.report.samples import judged_tasks, scan_scored
from clearminds.report.turns import Turn, turns

BUDGET = 2_000_000  # bytes of the page, for all items together
MOST = 40  # items of one variant, task and direction
LONGEST = 1500  # characters of a text; the rest is cut
AROUND = 60  # bytes of an item in the page's data, without its texts
WORDS = re.compile(r"\s+|\w+|[^\w\s]")
ITEM = ["eval_task", "subtask", "doc_hash"]
CUT = " […]"


@dataclass(frozen=True)
class Flip:
    """One item that the base has right and the variant's first seed has not, or the other way round.

    Attributes:
        lost: 1 -> 0; else 0 -> 1.
        before, after: the base's and the variant's answer, as pieces of text that the other one has too, or not.
    """

    model: str
    target: str
    variant: str
    seed: int
    eval_task: str
    doc_id: str
    lost: bool
    prompt: Sequence[Turn]
    expected: str
    before: Sequence[tuple[bool, str]]  # whether it differs, and the text
    after: Sequence[tuple[bool, str]]


@dataclass(frozen=True)
class Flips:
    """The items that the page shows, and how many there are of each variant's first seed and task."""

    shown: Sequence[Flip] = ()
    counts: Sequence[Mapping] = ()  # model, target, variant, seed, eval_task, lost, gained, shown


def flips(evaluations: Sequence[Mapping], tasks: Mapping[str, Mapping], budget: int = BUDGET) -> Flips:
    """Items that flipped, a few of each variant, task and direction: those of the lowest doc_hash.

    Args:
        evaluations: as for `summarise.summarise`; of each variant the first seed counts.
        tasks: as there; only those of `judged_tasks` whose items are right or wrong have flips.
        budget: bytes of the page for all of them.
    """
    wanted = judged_tasks(tasks)
    shown: list[tuple[int, dict]] = []
    counts: dict[tuple, dict] = {}
    runs = _first_seeds(evaluations)
    for (model, target, variant, seed), paths in runs.items() if wanted else ():
        base = _of_base(evaluations, model)
        if not base:
            continue
        with readable(*base, *paths):
            found = _flipped(_items(base, wanted), _items(paths, wanted))
        named = {"model": model, "target": target, "variant": variant, "seed": seed}
        for row in found.iter_rows(named=True):
            key = (*named.values(), row["eval_task"])
            cell = counts.setdefault(key, {**named, "eval_task": row["eval_task"], "lost": 0, "gained": 0, "shown": 0})
            direction = "lost" if row["lost"] else "gained"
            cell[direction] += 1
            if cell[direction] <= MOST:
                shown.append((cell[direction], {**named, **row}))
    return Flips(_within(shown, budget, counts), list(counts.values()))


def _first_seeds(evaluations: Sequence[Mapping]) -> dict[tuple, list[Path]]:
    """The evaluations (one a suite) of the first seed of each variant: model, target, variant and seed -> paths."""
    found: dict[tuple, dict[int, list[Path]]] = {}
    for run in evaluations:
        if run["variant"] != BASE:
            seeds = found.setdefault((run["model"], run["target"], run["variant"]), {})
            seeds.setdefault(run["seed"], []).append(Path(run["path"]))
    return {(*names, seed): paths for names, seeds in found.items() for seed, paths in list(seeds.items())[:1]}


def _of_base(evaluations: Sequence[Mapping], model: str) -> list[Path]:
    """The evaluations of a model before training."""
    return [Path(run["path"]) for run in evaluations if run["variant"] == BASE and run["model"] == model]


def _items(paths: Sequence[Path], tasks: Mapping[str, Mapping]) -> pl.LazyFrame:
    """Scored items, each once: two suites that share a task evaluate it alike."""
    return pl.concat([scan_scored(path, tasks) for path in paths]).unique(ITEM, keep="first", maintain_order=True)


def _flipped(base: pl.LazyFrame, after: pl.LazyFrame) -> pl.DataFrame:
    """The rows of items that are right in one of two runs and wrong in the other, in the order of tasks and hashes."""
    columns = [*ITEM, "doc_id", "score", "prompt", "target", "response"]
    pairs = base.select(columns).join(after.select(*ITEM, "score", "response"), on=ITEM, suffix="_after")
    lost = (pl.col("score") == 1) & (pl.col("score_after") == 0)
    gained = (pl.col("score") == 0) & (pl.col("score_after") == 1)
    return (
        pairs.filter(lost | gained)
        .with_columns(lost=lost)
        .rename({"target": "expected"})
        .drop("score", "score_after")
        .sort("eval_task", "lost", "doc_hash", descending=[False, True, False])
        .collect()
    )


def _within(found: list[tuple[int, dict]], budget: int, counts: Mapping[tuple, dict]) -> list[Flip]:
    """As many as fit the budget: first one of each variant, task and direction, then the second ones, and so on."""
    used = 0
    items: set[tuple[str, str]] = set()  # each is in the page once, however many variants flip it
    kept: list[tuple[int, Flip]] = []
    for place, (_, row) in sorted(enumerate(found), key=lambda item: (item[1][0], item[0])):
        flip = _flip(row)
        answers, item = flip_size(flip)
        seen = (flip.eval_task, flip.doc_id)
        used += AROUND + answers + (0 if seen in items else item)
        items.add(seen)
        if used > budget and kept:
            break
        kept.append((place, flip))
        counts[flip.model, flip.target, flip.variant, flip.seed, flip.eval_task]["shown"] += 1
    return [flip for _, flip in sorted(kept, key=lambda item: item[0])]


def _flip(row: Mapping) -> Flip:
    before, after = differences(_cut(row["response"] or ""), _cut(row["response_after"] or ""))
    return Flip(
        **{name: row[name] for name in ("model", "target", "variant", "seed", "eval_task", "doc_id", "lost")},
        prompt=[Turn(turn.role, _cut(turn.text)) for turn in turns(row["prompt"] or "")],
        expected=_cut(row["expected"] or ""),
        before=before,
        after=after,
    )


def flip_size(flip: Flip) -> tuple[int, int]:
    """Bytes in the page of its two answers, and of its item. Args: what is shown."""
    answers = [text for part in (flip.before, flip.after) for _, text in part]
    return tuple(len(embedded(part).encode()) for part in (answers, [*flip.prompt, flip.expected]))  # type: ignore[return-value]  # two


def _cut(text: str) -> str:
    """A text without its middle where it is long: an answer often stands at the end."""
    half = LONGEST // 2
    return text if len(text) <= LONGEST else text[:half] + CUT + text[-half:]


def differences(before: str, after: str) -> tuple[list[tuple[bool, str]], list[tuple[bool, str]]]:
    """Two texts, each as pieces that the other one has too (False) or not (True), compared by words."""
    words: list[list[str]] = [WORDS.findall(text) for text in (before, after)]
    pieces: tuple[list[tuple[bool, str]], list[tuple[bool, str]]] = ([], [])
    for tag, *ends in SequenceMatcher(None, words[0], words[1], autojunk=False).get_opcodes():
        for side, (start, stop) in enumerate((ends[:2], ends[2:])):
            if text := "".join(words[side][start:stop]):
                pieces[side].append((tag != "equal", text))
    return pieces

"""The summary as a table of variant x task, to be read: on the terminal, in Markdown and in the report."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from clearminds.files.summary import BASE
from clearminds.report.numbers import ends, listed, score, signed, within
from clearminds.report.text_table import LATEX, MARKDOWN, TERMINAL, Style, joined, text_table

NAMED = 6  # of more variants a note counts the rest


@dataclass(frozen=True)
class ResultRow:
    """One variant, means over its seeds: score and change per task of the table; changes, TI, BWT in percent."""

    variant: str
    seeds: int  # 0 for the base
    scores: list[float]
    changes: list[float | None]
    ti: float | None
    bwt: float | None
    ti_limits: tuple[float, float] | None  # 95 % interval over what the table's notes say, within what scores can reach
    bwt_limits: tuple[float, float] | None


@dataclass(frozen=True)
class ResultTable:
    """All variants of one model and target; `accuracy` starts with the target, `beside` has likelihood and drift."""

    model: str
    target: str
    accuracy: list[str]
    beside: list[str]
    roles: dict[str, str]
    rows: list[ResultRow]
    notes: list[str]

    @property
    def others(self) -> list[str]:
        """The tasks that BWT is over."""
        return [task for task in self.accuracy if self.roles[task] == "ood"]


def result_tables(summary: pl.DataFrame, comparisons: pl.DataFrame) -> list[ResultTable]:
    """The summary as variant x task, one table per model and target.

    Args:
        summary, comparisons: as `files.summary` says, of the same runs; the latter may be empty.
    """
    tables = []
    for (model, target), part in _parts(summary, "model", "target"):
        roles = dict(part.filter(pl.col("variant") == BASE).select("eval_task", "role").iter_rows())
        accuracy, beside = (
            [task for role in wanted for task in roles if roles[task] == role]
            for wanted in (("target", "ood"), ("likelihood", "drift"))
        )
        rows = [_result_row(variant, runs, accuracy + beside) for (variant,), runs in _parts(part, "variant")]
        pairs = _with_base(comparisons, model, target)
        notes = [*undefined(part), *remaining_bwt(pairs), *intervals_over(part)]
        notes += [*format_failures(part), *overlapping(part)]
        tables.append(ResultTable(model, target, accuracy, beside, roles, rows, notes))
    return tables


def _parts(frame: pl.DataFrame, *keys: str) -> list[tuple[tuple, pl.DataFrame]]:
    return list(frame.partition_by(*keys, as_dict=True, maintain_order=True).items())


def _with_base(comparisons: pl.DataFrame, model: str, target: str) -> pl.DataFrame:
    return comparisons.filter(pl.col("model") == model, pl.col("target") == target, pl.col("other") == BASE)


def _result_row(variant: str, runs: pl.DataFrame, tasks: list[str]) -> ResultRow:
    means = {
        task: (score, change)
        for task, score, change in runs.group_by("eval_task", maintain_order=True)
        .agg(pl.col("score", "relative_change").mean())
        .iter_rows()
    }
    scores, changes = zip(*(means[task] for task in tasks), strict=True)
    seeds = runs["seed"].drop_nulls().n_unique()
    per_run = runs.unique("seed", maintain_order=True)
    return ResultRow(
        variant,
        seeds,
        list(scores),
        list(changes),
        per_run["ti"].mean(),  # type: ignore[arg-type]  # polars: a value of any kind
        per_run["bwt"].mean(),  # type: ignore[arg-type]  # as above
        _limits(per_run, "ti"),
        _limits(per_run, "bwt"),
    )


def _limits(runs: pl.DataFrame, what: str) -> tuple[float, float] | None:
    low, high = runs.select(f"{what}_low", f"{what}_high").row(0)  # of the variant, the same in all its rows
    return None if low is None else within((low, high))


def intervals_over(summary: pl.DataFrame) -> list[str]:
    """What the intervals of TI and BWT are over: one sentence, if there are any."""
    found = over(summary)
    return [f"[...]: 95 % intervals {over_in_words(found)}."] if found else []


def over(rows: pl.DataFrame) -> dict[str, list[str]]:
    """What intervals are over, and the variants of which they are. Args: with the columns `variant` and `interval`."""
    known = rows.drop_nulls("interval").select("variant", "interval").unique(maintain_order=True)
    found: dict[str, list[str]] = {}
    for variant, words in known.iter_rows():
        found.setdefault(words, []).append(variant)
    return found


def over_in_words(found: Mapping[str, list[str]]) -> str:
    """The same in a sentence; variants are named where their intervals are over different things. Args: of `over`."""
    if len(found) == 1:
        return f"over {next(iter(found))}"
    return "; ".join(f"over {words} ({listed(variants, NAMED)})" for words, variants in found.items())


def detectable(comparisons: pl.DataFrame) -> list[str]:
    """The smallest TI and BWT that a study of this size finds, of all variants: one sentence.

    Args:
        comparisons: of one model and target, with the base.
    """
    found = []
    for name in ("TI", "BWT"):  # one without an undefined task is named otherwise
        sizes = comparisons.filter(pl.col("measure") == name)["detectable_holm"].drop_nulls().to_list()
        if sizes:
            found.append(f"a {name} of {ends(sizes)} %")
    said = "Smallest change from the base that is found with a chance of 80 %, corrected for the study's comparisons"
    return [f"{said}: {listed(found)}."] if found else []


def format_failures(summary: pl.DataFrame) -> list[str]:
    """How many items are wrong in another format than the asked one, apart from wrong answers: a sentence per task."""
    asked = summary.drop_nulls("format_failure").group_by("eval_task", "variant", maintain_order=True)
    means = asked.agg(pl.col("wrong_answer", "format_failure").mean())
    notes = []
    for (task,), rows in _parts(means, "eval_task"):
        if rows["format_failure"].sum():
            said = ", ".join(
                f"{variant} {100 * failed:.1f} + {100 * wrong:.1f} %" for _, variant, wrong, failed in rows.iter_rows()
            )
            notes.append(f"Wrong on {task}, in another format than the asked one + in that one: {said}.")
    return notes


def overlapping(summary: pl.DataFrame) -> list[str]:
    """Which tasks have items that are in the training data too, and TI and BWT of each variant without those.

    Those of tasks that have not been compared with these data are named, as in the report of a run that failed.
    """
    of_base = summary.filter(pl.col("variant") == BASE)
    unseen = of_base.filter(pl.col("n_overlap").is_null())["eval_task"].to_list()
    base = of_base.filter(pl.col("n_overlap") > 0)
    notes = [
        f"{n:,} of {items:,} items of {task} are in the training data too, by their whole prompt or 13 words in a row."
        for task, n, items in base.select("eval_task", "n_overlap", "n_items").iter_rows()
    ]
    runs = summary.filter(pl.col("variant") != BASE).unique(["variant", "seed"], maintain_order=True)
    if unseen:
        notes.append(f"Not looked at: whether items of {listed(unseen, NAMED)} are in the training data too.")
    for name in ("ti", "bwt") if base.height else ():
        means = runs.group_by("variant", maintain_order=True).agg(pl.col(f"{name}_without_overlap").mean()).drop_nulls()
        if means.height:
            said = ", ".join(f"{variant} {percent(value)}" for variant, value in means.iter_rows())
            notes.append(f"{name.upper()} without such items: {said}.")
    return notes


def undefined(summary: pl.DataFrame) -> list[str]:
    """Why a TI, a BWT or a relative change is blank: one sentence each."""
    notes = []
    for (model, target), part in _parts(summary.filter(pl.col("variant") == BASE), "model", "target"):
        where = f"{model} trained on {target}"
        for task, role in part.filter(pl.col("score") == 0).select("eval_task", "role").iter_rows():
            what = {"target": "TI and its relative change are", "ood": "BWT and its relative change are"}.get(
                role, "its relative change is"
            )
            notes.append(f"{where}: the base model scores 0 on {task}, so {what} undefined.")
        if "target" not in part["role"]:
            notes.append(f"{where}: TI is blank, because no suite measures accuracy on {target}.")
        if "ood" not in part["role"]:
            notes.append(f"{where}: BWT is blank, because no suite measures accuracy on another task.")
    return notes


def remaining_bwt(comparisons: pl.DataFrame) -> list[str]:
    """What BWT is over the tasks that base scores of 0 leave: one sentence, none where no task is left out, or left.

    Args:
        comparisons: of one model and target, with the base.
    """
    rows = comparisons.filter(pl.col("role") == "bwt", pl.col("measure") != "BWT").drop_nulls("difference")
    found: dict[str, list[str]] = {}
    for row in rows.iter_rows(named=True):
        interval = within(None if row["low"] is None else (row["low"], row["high"]))
        said = f"{row['variant']} {percent(row['difference'])} %{limits(interval)}, {row['verdict']}"
        found.setdefault(row["measure"], []).append(said)
    return [f"{measure}: {'; '.join(variants)}." for measure, variants in found.items()]


def terminal_table(summary: pl.DataFrame, comparisons: pl.DataFrame) -> str:
    """The result tables in aligned plain text: mean scores over seeds, TI, BWT (percent), likelihood and drift."""
    return _printed(summary, comparisons, TERMINAL)


def markdown_table(summary: pl.DataFrame, comparisons: pl.DataFrame) -> str:
    """The result tables in GitHub's Markdown, with the columns of `terminal_table`."""
    return _printed(summary, comparisons, MARKDOWN)


def latex_table(summary: pl.DataFrame, comparisons: pl.DataFrame) -> str:
    """The result tables for LaTeX, with the columns of `terminal_table`; notes as comments."""
    return _printed(summary, comparisons, LATEX)


def _printed(summary: pl.DataFrame, comparisons: pl.DataFrame, style: Style) -> str:
    blocks = []
    for table in result_tables(summary, comparisons):
        notes = [*table.notes, *detectable(_with_base(comparisons, table.model, table.target))]
        tasks = table.accuracy + table.beside
        names = [task if table.roles[task] == "ood" else f"{task} ({table.roles[task]})" for task in tasks]
        split = len(table.accuracy)
        headers = ["variant", "seeds", *names[:split], "TI %", "BWT %", *names[split:]]
        lines = []
        for row in table.rows:
            scores = [score(one) for one in row.scores]
            lines.append(
                [
                    row.variant,
                    row.seeds or "-",
                    *scores[:split],
                    percent(row.ti) + limits(row.ti_limits),
                    percent(row.bwt) + limits(row.bwt_limits),
                    *scores[split:],
                ]
            )
        heading = style.heading.format(model=table.model, target=table.target)
        blocks += [heading, text_table(lines, headers, style), *map(style.note.format, notes)]
    return joined(blocks)


def limits(interval: tuple[float, float] | None) -> str:
    """An interval in percent behind its estimate, with a decimal or first digit; empty for an undefined one."""
    return "" if interval is None else " [" + ", ".join(signed(end) for end in interval) + "]"


def percent(change: float | None) -> str:
    """A change in percent with its sign and two decimals; a dash for one that is undefined."""
    return "-" if change is None else f"{round(change, 2) + 0.0:+.2f}"  # adding 0.0 turns -0.0 into 0.0

"""The study as one HTML file: what was compared, what came out, what it cost, and how it can be made again.

The file loads nothing from anywhere and runs no script; all text of models and data is escaped, as it may be hostile.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import polars as pl
from markupsafe import Markup

from clearminds.files import contracts
from clearminds.files.reading import readable
from clearminds.files.scan_table import scan_table
from clearminds.files.summary import BASE
from clearminds.report.analyses import Section
from clearminds.report.result_table import limits, percent, result_tables
from clearminds.report.sweeps import Sweep
from clearminds.report.trained import differences


@dataclass(frozen=True)
class Matching:
    """How many of a target's training examples every variant trains on, and per source why others are not."""

    model: str
    target: str
    examples: int  # there were
    matched: int  # trained on by every variant
    sources: dict[str, dict[str, int]]  # source -> what was counted, such as accepted, none_accepted, dropped, too_long


@dataclass(frozen=True)
class PerplexityFigure:
    """The perplexity distribution of one model's and target's responses, with the numbers that it shows."""

    model: str
    target: str
    svg: str
    tau: float | None
    counts: pl.DataFrame  # of figures.perplexity_counts


@dataclass(frozen=True)
class Sample:
    """One evaluation item and what each variant answered."""

    model: str
    target: str
    eval_task: str
    prompt: str
    expected: str
    responses: list[dict]  # variant, seed, response, score, format_ok


@dataclass(frozen=True)
class ReportData:
    """Everything that the report shows.

    Attributes:
        study: its name.
        models: model id -> its origin.
        variants: variant id -> its settings in the config.
        training: the settings that all variants share.
        seeds: seeds of the training runs.
        summary: of `summarise.summarise`.
        counts: of `token_counts.counts_table`.
        matching: one per model and target.
        ti_bwt_svg: the figure of `figures.ti_bwt`.
        perplexity: one figure per model and target.
        samples: of `sample_responses`.
        runs: records of jobs: `stage`, `seconds`, `peak_memory_bytes`, and where tokens count
            `tokens`, `tokens_per_second`.
        versions: library -> version.
        config: the whole config as it was read.
        missing: evaluations that could not be made, each with `path` and `why`.
        overlaps: training items that are evaluated too, as of `rehearsal.overlaps.overlap`.
        warnings: other lines of the rehearsals.
        unprotected: evaluations in which programs of models ran without isolation.
        analyses: of `analyses.sections`, one per model and target; empty where the study asks for none.
        rules: which tokens count: `variant`, `model`, `target`, `words`, and whether these are `alike` for all models
            and targets, which are then not told apart.
        trained: of `trained.trained_rows`.
        matched_by: what is equal for the variants of a target: examples, steps or tokens.
        sweeps: of `sweeps.sweeps`.
    """

    study: str
    models: Mapping[str, str]
    variants: Mapping[str, Mapping]
    training: Mapping[str, object]
    seeds: Sequence[int]
    summary: pl.DataFrame
    counts: pl.DataFrame
    matching: Sequence[Matching]
    ti_bwt_svg: str
    perplexity: Sequence[PerplexityFigure]
    samples: Sequence[Sample]
    runs: Sequence[Mapping]
    versions: Mapping[str, str]
    config: Mapping
    missing: Sequence = ()
    overlaps: Sequence[Mapping] = ()
    warnings: Sequence[str] = ()
    unprotected: int = 0
    rules: Sequence[Mapping] = ()
    trained: Sequence[Mapping] = ()
    matched_by: str = "examples"
    sweeps: Sequence[Sweep] = ()
    analyses: Sequence[Section] = ()


def render(data: ReportData) -> str:
    """The report as one self-contained HTML document."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "limits": limits,
        "tone": _tone,
        "share": _share,
        "count": _count,
        "duration": _duration,
        "gigabytes": _gigabytes,
    }
    return environment.get_template("page.html.jinja").render(
        data=data,
        tables=result_tables(data.summary),
        items=_items(data.summary),
        formats=_format_failures(data.summary),
        counts=data.counts.to_dicts(),
        differences=differences(data.trained),
        costs=cost_per_stage(data.runs).to_dicts(),
        ti_bwt_svg=Markup(data.ti_bwt_svg),  # our own drawing, in which Vega escaped every text
        sweeps=[(sweep, sweep.svg and Markup(sweep.svg)) for sweep in data.sweeps],
        perplexity=[(figure, Markup(figure.svg), figure.counts.to_dicts()) for figure in data.perplexity],
        analyses=[(part, [(one, Markup(one.svg or "")) for one in part.shown]) for part in data.analyses],
        config=json.dumps(data.config, indent=2, ensure_ascii=False, default=str),
        base=BASE,
    )


def sample_responses(evaluations: Sequence[Mapping], tasks: Mapping[str, Mapping], per_task: int = 2) -> list[Sample]:
    """The same few items of each accuracy task, answered by every variant (its first seed); responses come untrimmed.

    Args:
        evaluations: as for `summarise.summarise`.
        tasks: as for `summarise.summarise`; tasks of likelihood, drift or lm_eval are left out.
        per_task: how many items; those of the lowest doc_hash, a choice that no result can sway.
    """
    wanted = {name: settings for name, settings in tasks.items() if settings["evaluate"] == "accuracy"}
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
    chosen = pl.any_horizontal(
        pl.lit(False),
        *(
            (pl.col("eval_task") == name) & (pl.col("metric") == s["metric"]) & (pl.col("filter") == s["filter"])
            for name, s in tasks.items()
        ),
    )
    with readable(path):
        return _items_of(scan_table(path, contracts.EVALUATION).filter(chosen), per_task)


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


def cost_per_stage(runs: Sequence[Mapping]) -> pl.DataFrame:
    """What each stage cost, over its jobs.

    Columns stage, jobs, seconds (sum), tokens (sum), tokens_per_second (median), peak_memory_bytes (largest).
    """
    schema = {
        "stage": pl.String,
        "seconds": pl.Float64,
        "tokens": pl.Int64,
        "tokens_per_second": pl.Float64,
        "peak_memory_bytes": pl.Int64,
    }
    frame = pl.DataFrame([{name: run.get(name) for name in schema} for run in runs], schema=schema)
    counted = pl.col("tokens").count() > 0
    return frame.group_by("stage", maintain_order=True).agg(
        jobs=pl.len(),
        seconds=pl.col("seconds").sum(),
        tokens=pl.when(counted).then(pl.col("tokens").sum()),
        tokens_per_second=pl.col("tokens_per_second").median(),
        peak_memory_bytes=pl.col("peak_memory_bytes").max(),
    )


def _items(summary: pl.DataFrame) -> dict[str, int]:
    return dict(summary.filter(pl.col("variant") == BASE).select("eval_task", "n_items").iter_rows())


def _format_failures(summary: pl.DataFrame) -> list[dict]:
    """Per model and target: the tasks that ask for a format, and per variant the share of items without it.

    `wrong` has, likewise, the shares of items that are wrong in the asked format and in another one.
    """
    tables = []
    for part in summary.drop_nulls("format_ok").partition_by("model", "target", maintain_order=True):
        failed = part.group_by("variant", "eval_task", maintain_order=True).agg(
            1 - pl.col("format_ok").mean(), pl.col("wrong_answer", "format_failure").mean()
        )
        shares: dict[str, dict[str, float]] = {}
        wrong: dict[str, dict[str, tuple[float, float]]] = {}
        for variant, task, share, answer, format_failure in failed.iter_rows():
            shares.setdefault(variant, {})[task] = share
            wrong.setdefault(variant, {})[task] = answer, format_failure
        model, target = part.select("model", "target").row(0)
        tasks = failed["eval_task"].unique(maintain_order=True).to_list()
        tables.append({"model": model, "target": target, "tasks": tasks, "shares": shares, "wrong": wrong})
    return tables


def _tone(change: float | None) -> str:
    """The colour of a change: none where it rounds to 0, so that no noise of floating point is shown as a loss."""
    rounded = round(change or 0.0, 2)
    return "up" if rounded > 0 else "down" if rounded < 0 else "even"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _count(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _gigabytes(value: float | None) -> str:
    return "–" if value is None else f"{value / 1e9:.2f} GB"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"

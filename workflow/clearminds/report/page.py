"""The study as one HTML file: what was asked and came out, down to the tokens; what it cost; how it can be made again.

The file loads nothing from anywhere. Its one script is ours and is allowed by its hash; all text of models and data is
escaped, as it may be hostile.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import jinja2
import polars as pl
from markupsafe import Markup

from clearminds.files.summary import BASE, COMPARISONS
from clearminds.report import dag, flips, numbers, tokens_view
from clearminds.report.advice import Advice
from clearminds.report.analyses import Section
from clearminds.report.compared import compared, comparison_data, families, verdicts
from clearminds.report.costs import per_stage
from clearminds.report.embedded import embedded
from clearminds.report.flip_data import first, flip_data, systems
from clearminds.report.flips import Flips
from clearminds.report.frontier import drawn_published
from clearminds.report.links import flip_link, flipped_items, token_link
from clearminds.report.outcomes import by_likelihood
from clearminds.report.published import SCHEMA, source
from clearminds.report.result_table import over, over_in_words, result_tables
from clearminds.report.samples import Sample
from clearminds.report.story import story
from clearminds.report.sweeps import Sweep
from clearminds.report.tokens_view import TokensView
from clearminds.report.trained import differences
from clearminds.report.turns import turns

TEMPLATES = Path(__file__).with_name("templates")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'"


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
    taus: Mapping[str, pl.DataFrame]  # what a threshold is called, to figures.perplexity_counts at it
    counts: pl.DataFrame  # of figures.perplexity_counts


@dataclass(frozen=True)
class ReportData:
    """Everything that the report shows.

    Attributes:
        study: its name.
        models: model id -> its origin.
        variants: variant id -> its settings in the config.
        training: the settings that all variants share.
        summary: of `summarise.summarise`.
        counts: of `token_counts.counts_table`.
        matching: one per model and target.
        frontier: the figures of `frontier.ti_bwt`, as SVG.
        perplexity: one figure per model and target.
        samples: of `samples.sample_responses`.
        runs: records of jobs: `stage`, and as of `costs.MEASURED`.
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
        comparisons: of `summarise.tables`.
        said: variant id -> what it is, in words; of those that are not there the settings are shown.
        advice: which variant to use, one per model and target.
        published: of `published.published`.
        surprise: as `analyses`: where the base's surprise sits in the training responses.
        tokens: of `tokens_view.views`.
        taus: the thresholds of its slider; `tau`: where that begins.
        flips: items that were lost and gained.
        costs: of `costs.per_variant`.
        made: of the provenance, in the order shown: what, and its value.
        citation: CITATION.cff.
    """

    study: str
    models: Mapping[str, str]
    variants: Mapping[str, Mapping]
    training: Mapping[str, object]
    summary: pl.DataFrame
    counts: pl.DataFrame
    matching: Sequence[Matching]
    frontier: Sequence[str]
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
    comparisons: pl.DataFrame = field(default_factory=COMPARISONS.to_frame)
    said: Mapping[str, str] = field(default_factory=dict)
    advice: Sequence[Advice] = ()
    published: pl.DataFrame = field(default_factory=SCHEMA.to_frame)
    surprise: Sequence[Section] = ()
    tokens: Sequence[TokensView] = ()
    taus: Sequence[float] = ()
    tau: float = 2.5
    flips: Flips = field(default_factory=Flips)
    costs: Sequence[Mapping] = ()
    made: Mapping[str, str] = field(default_factory=dict)
    citation: str = ""


def drawings(data: ReportData) -> dict[str, list[str]]:
    """The page's figures as SVG by the section that they are of, in its order, but for TI against BWT."""
    parts = [*data.surprise, *data.analyses]
    return {
        "perplexity": [figure.svg for figure in data.perplexity],
        "sweeps": [sweep.svg for sweep in data.sweeps if sweep.svg],
        "analyses": [one.svg for part in parts for one in part.shown if one.svg],
    }


def render(data: ReportData) -> str:
    """The report as one self-contained HTML document."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "change": numbers.change,
        "interval": numbers.interval,
        "verdicts": lambda part: verdicts(data.comparisons, part.model, part.target),
        "over_in_words": over_in_words,
        "tone": numbers.tone,
        "score": numbers.score,
        "items": numbers.items,
        "share": numbers.share,
        "count": numbers.count,
        "listed": numbers.listed,
        "duration": numbers.duration,
        "gigabytes": numbers.gigabytes,
        "turns": turns,
        "breakable": lambda name: Markup("_<wbr>").join(str(name).split("_")),
        "by_likelihood": by_likelihood,
        "colour": tokens_view.colour,
        "kept": tokens_view.kept,
        "drawing": Markup,  # of our own drawings, in which every text has been escaped
    }
    tables, script = result_tables(data.summary, data.comparisons), _asset("page.js")
    stages = per_stage(data.runs).to_dicts()
    own = [name for name, keys in data.variants.items() if "responses" in keys]  # others are not trained here
    return environment.get_template("page.html.jinja").render(
        data=data,
        tables=tables,
        items=(items := _items(data.summary)),
        stories=[story(table, items, data.comparisons, _trained_on(data, table), own) for table in tables],
        elsewhere=[name for name in data.variants if name not in own],
        overridden=any(keys.get("training") for name, keys in data.variants.items() if name in own),
        compared=data.summary.filter(pl.col("variant") != BASE)["variant"].n_unique(),
        seeds=data.summary.filter(pl.col("variant").is_in(own))["seed"].unique().sort().to_list(),
        hollow=drawn_published(data.summary, data.published),
        over=(intervals := over(data.summary)),
        alone=any("items only" in words for words in intervals),
        several=any(row.seeds > 1 for table in tables for row in table.rows),
        compared_lines=(lines := compared(data.comparisons)),
        families=families(data.comparisons),
        flips_first=first(data.flips),
        flip_systems=systems(data.flips),
        flip_names=(flipped := flip_data(data.flips)),
        flip_data=Markup(embedded(flipped)),
        flip_link=flip_link,
        flipped=flipped_items(data.flips),
        pictured={(view.model, view.target, name) for view in data.tokens for name in view.variants},
        token_link=token_link,
        comparison_data=Markup(embedded(comparison_data(lines))),
        formats=_format_failures(data.summary),
        counts=data.counts.to_dicts(),
        differences=differences(data.trained),
        stages=stages,
        graph=dag.drawing(stages),
        published=data.published.to_dicts(),
        published_in=source(),
        tokens=Markup(embedded(token_data(data))),
        start=_start(data),
        bins=tokens_view.BINS,
        budgets={"tokens": tokens_view.BUDGET, "flips": flips.BUDGET},
        most={"tokens": tokens_view.MOST, "flips": flips.MOST},
        config=json.dumps(data.config, indent=2, ensure_ascii=False, default=str),
        base=BASE,
        policy=POLICY.format(b64encode(sha256(script.encode()).digest()).decode()),
        script=script,
        style=_asset("page.css"),
    )


def token_data(data: ReportData) -> dict:
    """What the script of the page reads: thresholds, colours, and the examples by model and target."""
    return {
        "taus": list(data.taus),
        "start": _start(data),
        "bins": tokens_view.BINS,
        "groups": [vars(view) for view in data.tokens],
    }


def _start(data: ReportData) -> int:
    """Where the slider begins."""
    return next((n for n, tau in enumerate(data.taus) if tau >= data.tau), 0)


def _asset(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def _trained_on(data: ReportData, table: object) -> int | None:
    names = (table.model, table.target)  # type: ignore[attr-defined]
    return next((one.matched for one in data.matching if (one.model, one.target) == names), None)


def _items(summary: pl.DataFrame) -> dict[str, int]:
    return dict(summary.filter(pl.col("variant") == BASE).select("eval_task", "n_items").iter_rows())


def _format_failures(summary: pl.DataFrame) -> list[dict]:
    """Per model and target: the tasks that ask for a format, and per variant the share of items without it.

    `wrong` has, likewise, the shares of items that are wrong in the asked format and in another one; `without` names
    the variants without any such item.
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
        without = [variant for variant, failed in shares.items() if not any(failed.values())]
        found = {"tasks": tasks, "shares": shares, "wrong": wrong, "without": without}
        tables.append({"model": model, "target": target, **found})
    return tables

"""The frontier: what each variant gains on the target over what it loses elsewhere, with the intervals of both."""

import altair as alt
import polars as pl

from clearminds.files.summary import BASE
from clearminds.report.figures import GREY, PALETTE, SIZE, message, styled
from clearminds.report.numbers import listed
from clearminds.report.result_table import over

SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down")
AXES = ("gain", "bwt")


def ti_bwt(
    summary: pl.DataFrame, comparisons: pl.DataFrame, published: pl.DataFrame | None = None
) -> alt.TopLevelMixin:
    """TI over BWT, both in percent: a mark per variant, with its 95 % intervals as lines, and a faint one per seed.

    The base is at 0/0. One panel per model and target. Of a target that is measured by likelihood alone, and so has no
    TI, the change of that likelihood takes its place.

    Args:
        summary: as `summarise` gives it; runs without one of the two, or without BWT, have no mark.
        comparisons: of the same runs; may be empty, which leaves likelihoods without intervals.
        published: of `published.published`: others' values, hollow.
    """
    runs = gains(summary, comparisons)
    variants = runs["variant"].unique(maintain_order=True).to_list()
    panels = runs.drop_nulls(["gain", "bwt"]).partition_by("model", "target", maintain_order=True)
    charts = [_panel(panel, variants, _of_panel(panel, published)) for panel in panels]
    if not charts:
        return styled(message("No variant has both a change on the target and a BWT."))
    together = alt.vconcat(*charts).resolve_scale(color="shared", shape="shared")
    return styled(charts[0] if len(charts) == 1 else together)


def gains(summary: pl.DataFrame, comparisons: pl.DataFrame) -> pl.DataFrame:
    """One row per run, the base's too, with `gain`: its TI, or without one the change of the target's likelihood.

    `gain_low` and `gain_high` are the interval of its variant's, `interval` what that is over. Args: as of `ti_bwt`.
    """
    run = ["model", "target", "variant", "seed"]
    likelihood = summary.filter(pl.col("eval_task") == pl.col("target"), pl.col("role") == "likelihood")
    own = likelihood.select(*run, own="relative_change")
    limits = comparisons.filter(
        pl.col("measure") == pl.col("target"), pl.col("role") == "likelihood", pl.col("other") == BASE
    ).select(*run[:3], "low", "high", own_interval="interval")
    return (
        summary.unique(run, keep="first", maintain_order=True)
        .join(own, on=run, how="left", nulls_equal=True, maintain_order="left")
        .join(limits, on=run[:3], how="left", maintain_order="left")
        .with_columns(
            gain=pl.coalesce("ti", "own"),
            gain_low=pl.when(pl.col("ti").is_null()).then("low").otherwise("ti_low"),
            gain_high=pl.when(pl.col("ti").is_null()).then("high").otherwise("ti_high"),
            interval=pl.coalesce("interval", "own_interval"),
        )
        .drop("own", "low", "high", "own_interval")
    )


def _of_panel(panel: pl.DataFrame, published: pl.DataFrame | None) -> pl.DataFrame | None:
    if published is None:
        return None
    model, target = panel.select("model", "target").row(0)
    own = published.filter(pl.col("model") == model, pl.col("target") == target)
    return None if own.is_empty() else own


def _panel(runs: pl.DataFrame, variants: list[str], published: pl.DataFrame | None) -> alt.LayerChart | alt.FacetChart:
    model, target = runs.select("model", "target").row(0)
    limits = ("ti", "gain_low", "gain_high", "bwt_low", "bwt_high", "interval")
    means = runs.group_by("variant", maintain_order=True).agg(pl.col(*AXES).mean(), pl.col(*limits).first())
    runs = runs.with_columns(said=pl.struct("variant", "seed", *AXES).map_elements(_of_run, pl.String))
    means = means.with_columns(said=pl.struct("variant", *AXES, *limits).map_elements(_of_variant, pl.String))
    others = [variant for variant in variants if variant != BASE]
    colours = [GREY, *(PALETTE[i % len(PALETTE)] for i in range(len(others)))]
    shapes = ["cross", *(SHAPES[i % len(SHAPES)] for i in range(len(others)))]
    legend = alt.Legend(title=None, labelLimit=150, symbolOpacity=1)
    colour = alt.Color("variant:N", scale=alt.Scale(domain=[BASE, *others], range=colours), legend=legend)
    shape = alt.Shape("variant:N", scale=alt.Scale(domain=[BASE, *others], range=shapes), legend=legend)
    scale = alt.Scale(zero=True, nice=False, padding=14)
    x = alt.X("bwt:Q", title="BWT: mean relative change on the other tasks (%)", scale=scale)
    gained = "TI: relative change on the target (%)" if runs["ti"].count() else "change of the target's likelihood (%)"
    y = alt.Y("gain:Q", title=gained, scale=scale)
    zero = alt.Chart(pl.DataFrame({"zero": [0.0]}))
    layers = [
        zero.mark_rule(color=GREY, aria=False).encode(y=alt.Y("zero:Q", scale=scale)),
        zero.mark_rule(color=GREY, aria=False).encode(x=alt.X("zero:Q", scale=scale)),
        *_intervals(means, x, y, colour),
    ]
    seeds = alt.Chart(runs).mark_point(filled=True, size=34, opacity=0.4)
    layers.append(seeds.encode(x=x, y=y, color=colour, shape=shape, description="said:N"))
    points = alt.Chart(means).mark_point(filled=True, size=95, opacity=0.95)
    layers.append(points.encode(x=x, y=y, color=colour, shape=shape, description="said:N"))
    if published is not None and runs["ti"].count():
        layers += _others(published, x.copy(), y.copy())
    subtitle = [
        "up: better at the target; right: more of the rest kept",
        "large: means; small: seeds",
        *lines_are(runs),
    ]
    title = alt.TitleParams(f"{model}, trained on {target}", subtitle=subtitle)
    return alt.layer(*layers).properties(width=SIZE["width"], height=SIZE["width"], title=title)


def drawn_published(summary: pl.DataFrame, published: pl.DataFrame) -> bool:
    """Whether published values have marks: beside a TI alone, in a panel that there is."""
    panels = summary.drop_nulls(["ti", "bwt"]).select("model", "target")
    return not published.join(panels, on=["model", "target"], how="semi").is_empty()


def lines_are(runs: pl.DataFrame) -> list[str]:
    """What lines of intervals are over, as lines of a subtitle; none where there are no intervals. Args: of `gains`."""
    found = over(runs.filter(pl.any_horizontal(pl.col("gain_low", "bwt_low").is_not_null())))
    if len(found) < 2:
        return [f"lines: 95 % intervals over {words}" for words in found]
    return ["lines: 95 % intervals", *(f"over {words}: {listed(names, 1)}" for words, names in found.items())]


def _intervals(means: pl.DataFrame, x: alt.X, y: alt.Y, colour: alt.Color) -> list[alt.Chart]:
    """A line for each interval there is."""
    lines = []
    for known, encoded in (
        (means.drop_nulls("gain_low"), {"x": x, "y": alt.Y("gain_low:Q"), "y2": "gain_high:Q"}),
        (means.drop_nulls("bwt_low"), {"x": alt.X("bwt_low:Q"), "x2": "bwt_high:Q", "y": y}),
    ):
        if known.height:
            lines.append(
                alt.Chart(known).mark_rule(strokeWidth=1.5, opacity=0.75, aria=False).encode(color=colour, **encoded)
            )
    return lines


def _others(published: pl.DataFrame, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Published values: hollow diamonds with their names."""
    rows = published.with_columns(gain="ti", said=pl.format("published, {}: TI {} %, BWT {} %", "variant", "ti", "bwt"))
    marks = alt.Chart(rows).mark_point(filled=False, shape="diamond", size=70, color=GREY, strokeWidth=1.5)
    names = alt.Chart(rows).mark_text(align="left", dx=7, fontSize=10, color=GREY, fontStyle="italic", aria=False)
    return [marks.encode(x=x, y=y, description="said:N"), names.encode(x=x, y=y, text="variant:N")]


def _of_run(row: dict) -> str:
    seed = "" if row["seed"] is None else f", seed {row['seed']}"
    return f"{row['variant']}{seed}: gain {row['gain']:+.2f} %, BWT {row['bwt']:+.2f} %"


def _of_variant(row: dict) -> str:
    """A mark in words, as its label for pointers and screen readers."""
    gain = f"change of likelihood {row['gain']:+.2f} %" if row["ti"] is None else f"TI {row['gain']:+.2f} %"
    known = row["gain_low"] is not None or row["bwt_low"] is not None
    what = f"; 95 % intervals over {row['interval']}" if known and row["interval"] else ""
    return f"{row['variant']}: {gain}{_limits(row, 'gain')}, BWT {row['bwt']:+.2f} %{_limits(row, 'bwt')}{what}"


def _limits(row: dict, name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "" if low is None else f" ({low:+.1f} to {high:+.1f})"

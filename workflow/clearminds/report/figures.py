"""The two figures: what each variant gains and loses, and how surprising its training tokens are to the base model."""

import math
from collections.abc import Sequence
from pathlib import Path

import altair as alt
import polars as pl
import vl_convert as vlc

from clearminds.files import contracts
from clearminds.files.reading import readable
from clearminds.files.scan_table import scan_table
from clearminds.files.summary import BASE
from clearminds.files.tables import write_text

# Okabe & Ito, without the yellow that is lost on white: told apart with every common form of colour blindness.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down")
GREY = "#555555"
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"

BINS_PER_DECADE = 10
LAST_BIN = 4 * BINS_PER_DECADE  # holds everything from a perplexity of 10,000 on


def ti_bwt(summary: pl.DataFrame) -> alt.TopLevelMixin:
    """TI over BWT, both in percent: one point per variant and seed, the base at 0/0, one panel per model and target.

    Of a target that is measured by likelihood alone, and so has no TI, the change of that likelihood takes its place.

    Args:
        summary: as `summarise` gives it; runs without one of the two, or without BWT, have no point.
    """
    runs = gains(summary)
    variants = runs["variant"].unique(maintain_order=True).to_list()
    panels = runs.drop_nulls(["gain", "bwt"]).partition_by("model", "target", maintain_order=True)
    charts = [_ti_bwt_panel(panel, variants) for panel in panels]
    if not charts:
        return styled(_message("No variant has both a change on the target and a BWT."))
    return styled(
        charts[0] if len(charts) == 1 else alt.concat(*charts, columns=2).resolve_scale(color="shared", shape="shared")
    )


def gains(summary: pl.DataFrame) -> pl.DataFrame:
    """One row per run, the base's too, with `gain`: its TI, or without one the change of the target's likelihood."""
    run = ["model", "target", "variant", "seed"]
    likelihood = summary.filter(pl.col("eval_task") == pl.col("target"), pl.col("role") == "likelihood")
    return (
        summary.unique(run, keep="first", maintain_order=True)
        .join(
            likelihood.select(*run, own="relative_change"), on=run, how="left", nulls_equal=True, maintain_order="left"
        )
        .with_columns(gain=pl.coalesce("ti", "own"))
    )


def _ti_bwt_panel(runs: pl.DataFrame, variants: list[str]) -> alt.LayerChart | alt.FacetChart:
    model, target = runs.select("model", "target").row(0)
    means = runs.group_by("variant", maintain_order=True).agg(pl.col("bwt", "gain").mean())
    labels = _spread_labels(means, runs)
    spokes = runs.join(means, on="variant", suffix="_mean", maintain_order="left")
    right, (bottom, top) = labels["label_x"][0], _extent(labels, "label_y")
    (low_bwt, _), (low_gain, high_gain) = _extent(runs, "bwt"), _extent(runs, "gain")
    low_x = min(0.0, low_bwt)
    margin = 0.04 * (right - low_x)
    x_scale = alt.Scale(domain=[low_x - margin, right], nice=False)
    y_scale = alt.Scale(domain=[min(0.0, low_gain, bottom), max(0.0, high_gain, top)], padding=14, nice=False)
    others = [variant for variant in variants if variant != BASE]
    order = [BASE, *others]
    colours = [GREY, *(PALETTE[i % len(PALETTE)] for i in range(len(others)))]
    shapes = ["cross", *(SHAPES[i % len(SHAPES)] for i in range(len(others)))]
    colour = alt.Color("variant:N", scale=alt.Scale(domain=order, range=colours), legend=None)
    shape = alt.Shape("variant:N", scale=alt.Scale(domain=order, range=shapes), legend=None)
    x = alt.X("bwt:Q", title="BWT: mean relative change on the other tasks (%)", scale=x_scale)
    has_ti = runs["ti"].is_not_null().any()
    gained = (
        "TI: relative change on the target task (%)" if has_ti else "relative change of the target's likelihood (%)"
    )
    y = alt.Y("gain:Q", title=gained, scale=y_scale)

    zero = alt.Chart(pl.DataFrame({"zero": [0.0]}))
    across = zero.mark_rule(color=GREY).encode(y=alt.Y("zero:Q", scale=y_scale))
    down = zero.mark_rule(color=GREY).encode(x=alt.X("zero:Q", scale=x_scale))
    leaders = (
        alt.Chart(labels)
        .mark_rule(strokeDash=[1, 3], opacity=0.7)
        .encode(x=x, y=y, x2="label_x:Q", y2="label_y:Q", color=colour)
    )
    texts = (
        alt.Chart(labels)
        .mark_text(align="left", dx=4, fontSize=12, color="#222222")
        .encode(x=alt.X("label_x:Q", scale=x_scale), y=alt.Y("label_y:Q", scale=y_scale), text="variant:N")
    )
    joined = alt.Chart(spokes).mark_rule(opacity=0.6).encode(x=x, y=y, x2="bwt_mean:Q", y2="gain_mean:Q", color=colour)
    points = alt.Chart(runs).mark_point(filled=True, size=90, opacity=0.9).encode(x=x, y=y, color=colour, shape=shape)
    subtitle = "up: better at the target; right: more of the rest kept; thin lines: to the mean of a variant's seeds"
    title = alt.TitleParams(f"{model}, trained on {target}", subtitle=subtitle)
    return alt.layer(across, down, leaders, joined, points, texts).properties(width=480, height=340, title=title)


def _spread_labels(means: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Place one label per variant in a column right of all points, in the order of gains and never one over another."""
    means = means.sort("gain", "variant")
    (low_gain, high_gain), (low_bwt, high_bwt) = _extent(runs, "gain"), _extent(runs, "bwt")
    height, width = max(0.0, high_gain) - min(0.0, low_gain), max(0.0, high_bwt) - min(0.0, low_bwt)
    gap = max(height, 1.0) / 12
    heights: list[float] = []
    for gain in means["gain"]:
        heights.append(gain if not heights else max(gain, heights[-1] + gap))
    column = max(0.0, high_bwt) + max(0.1 * width, 0.5)
    return means.with_columns(label_x=pl.lit(column), label_y=pl.Series(heights))


def _extent(frame: pl.DataFrame, column: str) -> tuple[float, float]:
    """The least and the greatest number of a column."""
    return frame.select(pl.col(column).min().alias("least"), pl.col(column).max().alias("greatest")).row(0)


def perplexity_bins(scores: Sequence[tuple[str, Path]]) -> pl.DataFrame:
    """Response tokens per perplexity bin and source, counted without loading the tables.

    Args:
        scores: source and path of a token-score Parquet; paths of one source are counted together.

    Returns:
        Columns source, low, high (perplexity, ten bins per factor of ten; the last is open), n_tokens, share
        (0 to 1, of the source's tokens), in the order of the sources, every bin present.
    """
    bin_of = (
        (-pl.col("logprob").cast(pl.Float64) / math.log(10) * BINS_PER_DECADE).floor().clip(0, LAST_BIN).cast(pl.Int32)
    )
    counts = pl.concat(
        scan_table(path, contracts.TOKEN_SCORES)
        .select(source=pl.lit(source), bin=bin_of)
        .group_by("source", "bin")
        .agg(n_tokens=pl.len())
        for source, path in scores
    )
    sources = pl.LazyFrame(
        {"source": list(dict.fromkeys(source for source, _ in scores))}, schema={"source": pl.String}
    )
    grid = sources.with_row_index("order").join(
        pl.LazyFrame({"bin": range(LAST_BIN + 1)}, schema={"bin": pl.Int32}), how="cross"
    )
    shares = (
        grid.join(counts.group_by("source", "bin").agg(pl.col("n_tokens").sum()), on=["source", "bin"], how="left")
        .sort("order", "bin")
        .select(
            "source",
            low=10 ** (pl.col("bin") / BINS_PER_DECADE),
            high=10 ** ((pl.col("bin") + 1) / BINS_PER_DECADE),
            n_tokens=pl.col("n_tokens").fill_null(0).cast(pl.Int64),
        )
        .with_columns(share=pl.col("n_tokens") / pl.col("n_tokens").sum().over("source"))
    )
    with readable(*(path for _, path in scores)):
        return shares.collect(engine="streaming")


def perplexity_counts(scores: Sequence[tuple[str, Path]], tau: float | None) -> pl.DataFrame:
    """Per source: n_tokens, n_above (tokens of a perplexity above `tau`) and share_above (0 to 1); null without tau."""
    limit = math.inf if tau is None else math.log(tau)
    above = (-pl.col("logprob").cast(pl.Float64) > limit).sum().cast(pl.Int64)  # the comparison that builds the masks
    per_file = [
        scan_table(path, contracts.TOKEN_SCORES).select(
            source=pl.lit(source), n_tokens=pl.len().cast(pl.Int64), n_above=above
        )
        for source, path in scores
    ]
    with readable(*(path for _, path in scores)):
        counts = pl.concat(per_file).collect(engine="streaming").group_by("source", maintain_order=True).sum()
    known = pl.lit(None) if tau is None else pl.col("n_above")
    return counts.with_columns(n_above=known.cast(pl.Int64), share_above=(known / pl.col("n_tokens")).cast(pl.Float64))


def perplexity_distribution(scores: Sequence[tuple[str, Path]], tau: float | None) -> alt.TopLevelMixin:
    """Share of response tokens (%) per log-spaced perplexity bin, one line per source, with `tau` as a rule.

    Args:
        scores: source and path of a token-score Parquet.
        tau: the threshold whose tokens above it are masked; None draws no rule.
    """
    bins = perplexity_bins(scores).with_columns(percent=100 * pl.col("share"))
    counts = perplexity_counts(scores, tau)
    names = {
        source: f"{source}, {n:,} tokens" + ("" if above is None else f", {100 * above:.1f} % above τ")
        for source, n, above in counts.select("source", "n_tokens", "share_above").iter_rows()
    }
    bins = bins.with_columns(pl.col("source").replace(names))
    # a step drawn after each bin's lower edge needs one more point to draw the last bin
    bins = pl.concat([bins, bins.filter(pl.col("low") == pl.col("low").max()).with_columns(low="high")])
    colours = [PALETTE[i % len(PALETTE)] for i in range(len(names))]
    dashes = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]]
    domain = list(names.values())
    legend = alt.Legend(title=None, orient="top-right", labelLimit=0, symbolStrokeWidth=2.5, symbolSize=300)
    x_scale = alt.Scale(type="log", domain=[1, 10 ** ((LAST_BIN + 1) / BINS_PER_DECADE)], nice=False)
    x_axis = alt.Axis(
        values=[1, 10, 100, 1000, 10000], labelExpr="(datum.value == 10000 ? '≥ ' : '') + format(datum.value, ',')"
    )
    # tails of a tenth of a percent matter here and would vanish on a linear scale
    y_scale = alt.Scale(type="sqrt", domain=[0, 100])
    y_axis = alt.Axis(values=[0, 1, 5, 10, 25, 50, 75, 100])
    lines = (
        alt.Chart(bins)
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=alt.X(
                "low:Q", title="perplexity of the token under the base model (log scale)", scale=x_scale, axis=x_axis
            ),
            y=alt.Y("percent:Q", title="share of response tokens (%, square-root scale)", scale=y_scale, axis=y_axis),
            color=alt.Color("source:N", scale=alt.Scale(domain=domain, range=colours), legend=legend),
            strokeDash=alt.StrokeDash(
                "source:N", scale=alt.Scale(domain=domain, range=[dashes[i % len(dashes)] for i in range(len(domain))])
            ),
        )
    )
    layers = [lines]
    if tau is not None:
        rule = alt.Chart(pl.DataFrame({"tau": [tau], "label": [f"τ = {tau:g}"]})).encode(x="tau:Q")
        layers += [
            rule.mark_rule(color=GREY, strokeDash=[4, 3], strokeWidth=1.5),
            rule.mark_text(align="left", dx=5, y=8, fontSize=12, color=GREY).encode(text="label:N"),
        ]
    title = alt.TitleParams(
        "How surprising the training responses are", subtitle=f"{BINS_PER_DECADE} bins per factor of ten"
    )
    return styled(alt.layer(*layers).properties(width=560, height=300, title=title))


def _message(text: str) -> alt.Chart:
    return (
        alt.Chart(pl.DataFrame({"text": [text]}))
        .mark_text(fontSize=14, color=GREY)
        .encode(text="text:N")
        .properties(width=480, height=120)
    )


def styled(chart: alt.TopLevelMixin) -> alt.TopLevelMixin:
    """The chart with the fonts, colours and margins that all figures share."""
    return (
        chart.configure(font=FONT, background="white", padding=12)
        .configure_axis(
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
            gridColor="#e8e8e8",
            domainColor=GREY,
            tickColor=GREY,
        )
        .configure_view(stroke=None)
        .configure_title(anchor="start", fontSize=15, subtitleFontSize=12, subtitleColor=GREY, offset=12)
        .configure_legend(labelFontSize=12)
    )


def svg(chart: alt.TopLevelMixin) -> str:
    """The chart as SVG; equal charts give equal text on one machine."""
    return vlc.vegalite_to_svg(chart.to_dict())


def save_svg(chart: alt.TopLevelMixin, path: Path) -> None:
    """Write the chart as an SVG file, atomically."""
    write_text(path, svg(chart))

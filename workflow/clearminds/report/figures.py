"""How surprising training tokens are to the base model; and the colours and fonts that all figures share."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import altair as alt
import polars as pl
import vl_convert as vlc

from clearminds.files import contracts
from clearminds.files.reading import readable
from clearminds.files.scan_table import scan_table
from clearminds.files.tables import write_text

# Okabe & Ito, without the yellow that is lost on white: told apart with every common form of colour blindness.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down")
GREY = "#555555"
SIZE = {"width": 320, "height": 260}  # narrow, so that text can be read on a phone too
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"

# what Vega writes of a layer without marks, which a screen reader would announce as a picture of nothing
EMPTY = re.compile(r'<g class="[^"]*" role="graphics-\w+" aria-roledescription="[^"]*"(/>|></g>)')

BINS_PER_DECADE = 10
LAST_BIN = 4 * BINS_PER_DECADE  # holds everything from a perplexity of 10,000 on


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


def perplexity_distribution(
    scores: Sequence[tuple[str, Path]], taus: Mapping[str, float], where: str
) -> alt.TopLevelMixin:
    """Share of response tokens (%) per log-spaced perplexity bin, one line per source, with thresholds as rules.

    Args:
        scores: source and path of a token-score Parquet.
        taus: thresholds whose tokens above them are masked, by what the figure calls them; the legend counts the
            tokens above the first.
        where: of which model and target they are.
    """
    bins = perplexity_bins(scores).with_columns(percent=100 * pl.col("share"))
    counts = perplexity_counts(scores, next(iter(taus.values()), None))
    first = f" above {next(iter(taus))}" if taus else ""
    names = {
        source: f"{source}, {n:,} tokens" + ("" if above is None else f", {100 * above:.1f} %{first}")
        for source, n, above in counts.select("source", "n_tokens", "share_above").iter_rows()
    }
    bins = bins.with_columns(pl.col("source").replace(names))
    # a step drawn after each bin's lower edge needs one more point to draw the last bin
    bins = pl.concat([bins, bins.filter(pl.col("low") == pl.col("low").max()).with_columns(low="high")])
    colours = [PALETTE[i % len(PALETTE)] for i in range(len(names))]
    dashes = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]]
    domain = list(names.values())
    legend = alt.Legend(title=None, columns=1, labelLimit=0, symbolStrokeWidth=2.5, symbolSize=300)
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
            y=alt.Y("percent:Q", title="share of response tokens (%, root scale)", scale=y_scale, axis=y_axis),
            color=alt.Color("source:N", scale=alt.Scale(domain=domain, range=colours), legend=legend),
            strokeDash=alt.StrokeDash(
                "source:N", scale=alt.Scale(domain=domain, range=[dashes[i % len(dashes)] for i in range(len(domain))])
            ),
        )
    )
    layers = [lines]
    for n, (label, tau) in enumerate(sorted(taus.items(), key=lambda one: one[1])):
        rule = alt.Chart(pl.DataFrame({"tau": [tau], "label": [label]})).encode(x="tau:Q")
        layers += [
            rule.mark_rule(color=GREY, strokeDash=[4, 3], strokeWidth=1.5),
            rule.mark_text(align="left", dx=5, y=8 + 14 * n, fontSize=12, color=GREY).encode(text="label:N"),
        ]
    title = alt.TitleParams(
        "How surprising the training responses are", subtitle=[where, f"{BINS_PER_DECADE} bins per factor of ten"]
    )
    return styled(alt.layer(*layers).properties(**SIZE, title=title))


def message(text: str) -> alt.Chart:
    """A figure that says why there is nothing to draw."""
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
        .configure_legend(labelFontSize=12, orient="bottom", columns=2)
    )


def svg(chart: alt.TopLevelMixin) -> str:
    """The chart as SVG; equal charts give equal text on one machine."""
    return EMPTY.sub("", vlc.vegalite_to_svg(chart.to_dict()))


def save_svg(chart: alt.TopLevelMixin, path: Path) -> None:
    """Write the chart as an SVG file, atomically."""
    write_text(path, svg(chart))

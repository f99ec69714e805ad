"""The figures of the analyses, each from the table of one model and target."""

import math
from collections.abc import Sequence

import altair as alt
import polars as pl

from clearminds.report.figures import PALETTE, SIZE, styled

DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])
MOST_TICKS = 12


def _told_apart(names: Sequence[str], column: str) -> dict[str, alt.Color | alt.StrokeDash]:
    """Colour and dash of lines by name, so that more of them than colours are told apart."""
    colours = [PALETTE[n % len(PALETTE)] for n in range(len(names))]
    dashes = [DASHES[n // len(PALETTE) % len(DASHES)] for n in range(len(names))]
    legend = alt.Legend(title=None, labelLimit=0, symbolStrokeWidth=2.5, symbolSize=80)
    return {
        "color": alt.Color(f"{column}:N", scale=alt.Scale(domain=list(names), range=colours), legend=legend),
        "strokeDash": alt.StrokeDash(f"{column}:N", scale=alt.Scale(domain=list(names), range=dashes), legend=legend),
    }


def _there(frame: pl.DataFrame, column: str, order: Sequence[str]) -> list[str]:
    found = set(frame[column])
    return [name for name in order if name in found]


def _whole_numbers(values: pl.Series) -> alt.Axis:
    """An axis with some ticks at values that there are, the first one among them."""
    there = values.unique().sort().to_list()
    return alt.Axis(format="d", values=there[:: math.ceil(len(there) / MOST_TICKS)] if there else [])


def weight_change(frame: pl.DataFrame, variants: Sequence[str]) -> alt.TopLevelMixin:
    """Norm and effective rank by layer, a line per variant. Args: of WEIGHT_CHANGE; the order of variants."""
    layers = (
        frame.drop_nulls("layer")
        .group_by("variant", "seed", "layer")
        .agg(norm=pl.col("norm").pow(2).sum().sqrt(), rank=pl.col("effective_rank").mean())
        .group_by("variant", "layer")
        .agg(pl.col("norm", "rank").mean())
        .sort("variant", "layer")
    )
    lines = alt.Chart(layers).mark_line(strokeWidth=2, point=True).properties(width=SIZE["width"], height=200)
    x = alt.X("layer:Q", title="layer", axis=_whole_numbers(layers["layer"]))
    apart = _told_apart(_there(frame, "variant", variants), "variant")
    norm = lines.encode(x=x, y=alt.Y("norm:Q", title="norm of the change"), **apart)
    rank = lines.encode(x=x, y=alt.Y("rank:Q", title="effective rank, mean of the matrices"), **apart)
    return styled(alt.vconcat(norm, rank))


def masked_classes(frame: pl.DataFrame, variants: Sequence[str]) -> alt.TopLevelMixin:
    """Masked tokens by class as a bar per variant, in percent of all response tokens; the first draw of random rules.

    Args:
        frame: MASKED_TOKENS, and `of_all`, the share (0 to 1) of all response tokens that are masked ones of a class.
        variants: in their order.
    """
    first = frame.filter((pl.col("draw") == pl.col("draw").min().over("variant")) | pl.col("draw").is_null())
    bars = first.select("variant", "class", percent=100 * pl.col("of_all"))
    classes = bars["class"].unique(maintain_order=True).sort().to_list()
    scale = alt.Scale(domain=classes, range=list(PALETTE[: len(classes)]))
    chart = (
        alt.Chart(bars)
        .mark_bar()
        .encode(
            x=alt.X("percent:Q", title="masked, % of all response tokens"),
            y=alt.Y("variant:N", title=None, sort=_there(frame, "variant", variants), axis=alt.Axis(labelLimit=0)),
            color=alt.Color("class:N", scale=scale, legend=alt.Legend(title=None)),
        )
    )
    return styled(chart.properties(width=SIZE["width"]))


def concentration(frame: pl.DataFrame) -> alt.TopLevelMixin:
    """The share of the loss that the tokens of the highest loss hold, a line per source. Args: of NLL_SHARES."""
    points = frame.filter(pl.col("cut") == "tokens").select(
        "source", tokens=100 * pl.col("token_share"), nll=100 * pl.col("nll_share")
    )
    # shares of few tokens are rounded up, some of them to the same number
    points = points.unique(["source", "tokens"], maintain_order=True)
    chart = (
        alt.Chart(points)
        .mark_line(strokeWidth=2, point=True)
        .encode(
            x=alt.X(
                "tokens:Q",
                title="tokens of the highest loss (%, log scale)",
                scale=alt.Scale(type="log", domain=[0.1, 100], nice=False),
                axis=alt.Axis(values=[0.1, 1, 10, 100], labelExpr="datum.value"),
            ),
            y=alt.Y("nll:Q", title="share of all loss (%)", scale=alt.Scale(domain=[0, 100])),
            **_told_apart(frame["source"].unique(maintain_order=True).to_list(), "source"),
        )
    )
    return styled(chart.properties(**SIZE))


def convergence(frame: pl.DataFrame, variants: Sequence[str]) -> alt.TopLevelMixin:
    """The held-out loss by optimiser step, a line per variant. Args: of CONVERGENCE; the order of variants."""
    means = frame.group_by("variant", "step").agg(pl.col("loss").mean()).sort("variant", "step")
    chart = (
        alt.Chart(means)
        .mark_line(strokeWidth=2, point=True)
        .encode(
            x=alt.X("step:Q", title="optimiser steps", axis=_whole_numbers(means["step"])),
            y=alt.Y("loss:Q", title="held-out loss (nats per token)", scale=alt.Scale(zero=False)),
            **_told_apart(_there(frame, "variant", variants), "variant"),
        )
    )
    return styled(chart.properties(**SIZE))


def gradients(frame: pl.DataFrame) -> alt.TopLevelMixin:
    """Share of tokens and of the gradient's norm above each perplexity, a panel per source.

    Args:
        frame: GRADIENT_NORMS, and `share` and `of_tokens`, both 0 to 1.
    """
    means = frame.group_by("source", "perplexity", maintain_order=True).agg(pl.col("share", "of_tokens").mean())
    what = {"of_tokens": "share of the tokens", "share": "norm of their gradient, of the whole"}
    limits = {limit: f"> {limit:g}" for limit in means["perplexity"].unique(maintain_order=True)}
    bars = means.unpivot(list(what), index=["source", "perplexity"], variable_name="what").with_columns(
        pl.col("what").replace(what), percent=100 * pl.col("value"), limit=pl.col("perplexity").replace_strict(limits)
    )
    chart = (
        alt.Chart(bars)
        .mark_bar()
        .encode(
            x=alt.X("limit:N", title="perplexity", sort=list(limits.values()), axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("what:N", sort=list(what.values())),
            y=alt.Y("percent:Q", title="%"),
            color=alt.Color(
                "what:N",
                scale=alt.Scale(domain=list(what.values()), range=list(PALETTE[:2])),
                legend=alt.Legend(title=None, labelLimit=0, orient="top"),
            ),
            column=alt.Column("source:N", title=None),
        )
    )
    return styled(chart.properties(width=220, height=220))

"""The frontier: what each variant gains on the target over what it loses elsewhere, with the intervals of both."""

import altair as alt
import polars as pl

from clearminds.files.summary import BASE
from clearminds.report.figures import GREY, SIZE, message, styled
from clearminds.report.marks import PLACES, beside, marks
from clearminds.report.numbers import LOWEST, listed, signed
from clearminds.report.result_table import over

AXES = ("gain", "bwt")
LIMITS = ("gain_low", "gain_high", "bwt_low", "bwt_high")
EDGE = 0.06  # of the range of an axis, beside its ends
WIDEN = 0.5  # of the range of the marks: how far intervals widen an axis; longer ones are cut off at its end


def ti_bwt(
    summary: pl.DataFrame, comparisons: pl.DataFrame, published: pl.DataFrame | None = None
) -> list[alt.TopLevelMixin]:
    """TI over BWT, both in percent: a mark per variant, with its 95 % intervals as lines, and a faint one per seed.

    The base is at 0/0. A figure per model and target, whose variants have the same marks in all of them. Of a target
    that is measured by likelihood alone, and so has no TI, the change of that likelihood takes its place.

    Args:
        summary: as `summarise` gives it; runs without one of the two, or without BWT, have no mark.
        comparisons: of the same runs; may be empty, which leaves likelihoods without intervals.
        published: of `published.published`: others' values, hollow.
    """
    runs = gains(summary, comparisons)
    variants = runs["variant"].unique(maintain_order=True).to_list()
    panels = runs.drop_nulls(["gain", "bwt"]).partition_by("model", "target", maintain_order=True)
    charts = [styled(_panel(panel, variants, _of_panel(panel, published))) for panel in panels]
    return charts or [styled(message("No variant has both a change on the target and a BWT."))]


def gains(summary: pl.DataFrame, comparisons: pl.DataFrame) -> pl.DataFrame:
    """One row per run, the base's too, with `gain`: its TI, or without one the change of the target's likelihood.

    `gain_low` and `gain_high` are the interval of its variant's, `interval` what that is over; intervals end at -100,
    which no score falls below. Args: as of `ti_bwt`.
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
            gain_low=_reached(pl.when(pl.col("ti").is_null()).then("low").otherwise("ti_low")),
            gain_high=_reached(pl.when(pl.col("ti").is_null()).then("high").otherwise("ti_high")),
            bwt_low=_reached(pl.col("bwt_low")),
            bwt_high=_reached(pl.col("bwt_high")),
            interval=pl.coalesce("interval", "own_interval"),
        )
        .drop("own", "low", "high", "own_interval")
    )


def _reached(limit: pl.Expr) -> pl.Expr:
    return limit.clip(LOWEST)


def _of_panel(panel: pl.DataFrame, published: pl.DataFrame | None) -> pl.DataFrame | None:
    if published is None:
        return None
    model, target = panel.select("model", "target").row(0)
    own = published.filter(pl.col("model") == model, pl.col("target") == target)
    return None if own.is_empty() else own


def _panel(runs: pl.DataFrame, variants: list[str], published: pl.DataFrame | None) -> alt.LayerChart | alt.FacetChart:
    model, target = runs.select("model", "target").row(0)
    limits = ("ti", *LIMITS, "interval")
    means = runs.group_by("variant", maintain_order=True).agg(pl.col(*AXES).mean(), pl.col(*limits).first())
    runs = runs.with_columns(said=pl.struct("variant", "seed", *AXES).map_elements(_of_run, pl.String))
    means = means.with_columns(said=pl.struct("variant", *AXES, *limits).map_elements(_of_variant, pl.String))
    others = [variant for variant in variants if variant != BASE]
    colours, shapes = marks(others)
    legend = alt.Legend(title=None, labelLimit=150, symbolOpacity=1)
    domain = [BASE, *others]
    colour = alt.Color("variant:N", scale=alt.Scale(domain=domain, range=[GREY, *colours]), legend=legend)
    shape = alt.Shape("variant:N", scale=alt.Scale(domain=domain, range=["cross", *shapes]), legend=legend)
    drawn = [frame for frame in (runs, means, published if runs["ti"].count() else None) if frame is not None]
    across = _range(drawn, ("bwt",), ("bwt_low", "bwt_high"))
    up = _range(drawn, ("gain", "ti"), ("gain_low", "gain_high"))
    scale, upright = (alt.Scale(domain=ends, nice=False, zero=False) for ends in (across, up))
    x = alt.X("bwt:Q", title="BWT: mean relative change on the other tasks (%)", scale=scale)
    gained = "TI: relative change on the target (%)" if runs["ti"].count() else "change of the target's likelihood (%)"
    y = alt.Y("gain:Q", title=gained, scale=upright)
    zero = alt.Chart(pl.DataFrame({"zero": [0.0]}))
    layers = [
        zero.mark_rule(color=GREY, aria=False).encode(y=alt.Y("zero:Q", scale=upright)),
        zero.mark_rule(color=GREY, aria=False).encode(x=alt.X("zero:Q", scale=scale)),
        *_intervals(means, x, y, colour),
        *_edge(means, x, y),
    ]
    seeds = alt.Chart(runs).mark_point(filled=True, size=34, opacity=0.4)
    layers.append(seeds.encode(x=x, y=y, color=colour, shape=shape, description="said:N"))
    points = alt.Chart(means).mark_point(filled=True, size=95, opacity=0.95)
    layers.append(points.encode(x=x, y=y, color=colour, shape=shape, description="said:N"))
    layers += _names(means, x, y, across, up)
    if published is not None and runs["ti"].count():
        layers += _others(published, x.copy(), y.copy())
    subtitle = [
        "up: better at the target; right: more of the rest kept",
        "large: means; small: seeds",
        *lines_are(runs),
        *(["dotted: the frontier, which no other exceeds in both"] if frontier(means).height > 1 else []),
    ]
    title = alt.TitleParams(f"{model}, trained on {target}", subtitle=subtitle)
    return alt.layer(*layers).properties(width=SIZE["width"], height=SIZE["width"], title=title)


def _range(frames: list[pl.DataFrame], marked: tuple[str, ...], limits: tuple[str, ...]) -> list[float]:
    """The ends of an axis: all marks, 0 too, and of their intervals as much as leaves the marks room."""
    marks_at, lines_to = _values(frames, marked), _values(frames, limits)
    low, high = min(0.0, *marks_at), max(0.0, *marks_at)
    room = WIDEN * ((high - low) or 1.0)
    low, high = max(low - room, min([low, *lines_to])), min(high + room, max([high, *lines_to]))
    edge = EDGE * ((high - low) or 1.0)
    return [low - edge, high + edge]


def _values(frames: list[pl.DataFrame], columns: tuple[str, ...]) -> list[float]:
    """The least and the largest values of columns."""
    found = []
    for frame in frames:
        values = frame.select(column for column in columns if column in frame.columns)
        found += [value for value in (*values.min().row(0), *values.max().row(0)) if value is not None]
    return found


def frontier(means: pl.DataFrame) -> pl.DataFrame:
    """The rows of variants, the base among them, that no other exceeds in one of `AXES` and equals in the other."""
    best = means.sort("bwt", "gain", descending=True, maintain_order=True)
    before = pl.col("gain").cum_max().shift(1)
    return best.filter(before.is_null() | (pl.col("gain") > before))


def _edge(means: pl.DataFrame, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """The frontier as stairs; nothing where one point is all of it."""
    rows = frontier(means)
    if rows.height < 2:
        return []
    stairs = alt.Chart(rows).mark_line(
        interpolate="step-before", color=GREY, strokeWidth=1.2, strokeDash=[2, 3], aria=False
    )
    return [stairs.encode(x=x, y=y)]


def _names(means: pl.DataFrame, x: alt.X, y: alt.Y, across: list[float], up: list[float]) -> list[alt.Chart]:
    """Names beside the marks, where they cover nothing; the legend has all."""
    width = height = SIZE["width"]

    def placed(value: float, ends: list[float], length: float) -> float:
        return (value - ends[0]) / (ends[1] - ends[0]) * length

    points = {
        name: (placed(bwt, across, width), height - placed(gain, up, height))
        for name, bwt, gain in means.select("variant", "bwt", "gain").iter_rows()
    }
    found = beside(points, width, height)
    layers = []
    for place, (align, dx, dy) in PLACES.items():
        if names := [name for name, own in found.items() if own == place]:
            text = alt.Chart(means.filter(pl.col("variant").is_in(names)))
            text = text.mark_text(align=align, baseline="alphabetic", dx=dx, dy=dy, fontSize=11, color=GREY, aria=False)
            layers.append(text.encode(x=x, y=y, text="variant:N"))
    return layers


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
                alt.Chart(known)
                .mark_rule(strokeWidth=1.5, opacity=0.75, aria=False, clip=True)
                .encode(color=colour, **encoded)
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
    return "" if low is None else f" ({signed(low)} to {signed(high)})"

"""The sweeps of a study: what variants of one grid gain, lose and mask over the values of a key, as curve and table."""

from collections.abc import Mapping
from dataclasses import dataclass

import altair as alt
import polars as pl

from clearminds.report.figures import GREY, PALETTE, styled, svg
from clearminds.report.frontier import gains, lines_are
from clearminds.report.outcomes import CHANGE
from clearminds.report.result_table import over

PANELS = {"gain": "{} (%)", "bwt": "BWT (%)", "masked": "tokens masked (%)"}
LIMITS = ("gain_low", "gain_high", "bwt_low", "bwt_high")  # 95 % intervals of variants
LOG_FROM = 10  # a key whose values are this many times apart gets a logarithmic axis
TAU, AUTO = "weights.tau", "auto"
WIDTH, HEIGHT = 320, 130


@dataclass(frozen=True)
class Sweep:
    """One sweep of one model and target.

    Attributes:
        name: what it is called in the study.
        keys: the swept keys, such as weights.tau; the one that the curves go over comes first.
        rows: per variant `variant`, `values` (in the order of `keys`), `masked` (percent of the response tokens), and
            means over seeds: `gain` (as of `frontier.gains`), `bwt`, and `LIMITS`. None: there is none (yet).
        gain: what that is: TI, or the change of likelihood.
        svg: the curves; None where no key has two numbers.
        over: what intervals are over, as of `result_table.over`, of the sweep's variants.
    """

    model: str
    target: str
    name: str
    keys: list[str]
    rows: list[dict]
    gain: str
    svg: str | None
    over: dict[str, list[str]]

    @property
    def measure(self) -> str:
        """What comparisons call the gain."""
        return self.target if self.gain == CHANGE else self.gain


def sweeps(
    variants: Mapping[str, Mapping],
    summary: pl.DataFrame,
    comparisons: pl.DataFrame,
    counts: pl.DataFrame,
    fitted: Mapping[tuple[str, str, str], float] | None = None,
) -> list[Sweep]:
    """All sweeps of a study, one for each model and target.

    Args:
        variants: variant id -> its settings in the config, where `swept` says of which sweep it is.
        summary, comparisons: of `summarise.tables`; the latter may be empty.
        counts: of `token_counts.counts_table`.
        fitted: model, target and variant to the tau that its rule has taken from the scores, where the study says auto.
    """
    members: dict[str, dict[str, dict]] = {}
    for variant, keys in variants.items():
        if swept := keys.get("swept"):
            members.setdefault(swept["sweep"], {})[variant] = swept["values"]
    if not members:
        return []
    masks = counts.group_by("model", "target", "variant").agg(masked=100 * (1 - pl.col("kept_share")).mean())
    found = []
    for (model, target), runs in (
        gains(summary, comparisons).partition_by("model", "target", as_dict=True, maintain_order=True).items()
    ):
        shares = masks.filter(pl.col("model") == model, pl.col("target") == target).select("variant", "masked")
        measured = runs.select("variant", "seed", "gain", "bwt", *LIMITS, "interval").join(
            shares, on="variant", how="full", coalesce=True
        )
        gain = "TI" if runs["ti"].count() else CHANGE
        own = {variant: tau for (*where, variant), tau in (fitted or {}).items() if where == [model, target]}
        found += [_sweep(model, target, name, values, measured, gain, own) for name, values in members.items()]
    return found


def _sweep(
    model: str,
    target: str,
    name: str,
    values: Mapping[str, Mapping],
    measured: pl.DataFrame,
    gain: str,
    fitted: Mapping[str, float],
) -> Sweep:
    keys = list(next(iter(values.values())))
    numbers = {key: {x for one in values.values() if (x := _number(one[key])) is not None} for key in keys}
    keys.sort(key=lambda key: -len(numbers[key]))  # of equally many the first one stays first
    key, *others = keys

    def place(variant: str, which: str) -> float | None:
        """A value as a number; of a tau that the data have chosen, that one."""
        known = _number(values[variant][which])
        return fitted.get(variant) if known is None and which == TAU and values[variant][which] == AUTO else known

    def shown(variant: str, which: str) -> object:
        value, number = values[variant][which], place(variant, which)
        return value if number is None or _number(value) is not None else f"{value} ({number:.3g})"

    grid = pl.DataFrame(
        [
            {
                "variant": variant,
                "x": place(variant, key),
                "series": ", ".join(f"{_short(other)} {one[other]}" for other in others),
                # also of one that the data have put at a value
                "other": "" if _number(one[key]) is not None else f"{_short(key)} {one[key]}",
            }
            for variant, one in values.items()
        ],
        schema={"variant": pl.String, "x": pl.Float64, "series": pl.String, "other": pl.String},
    )
    runs = grid.join(measured, on="variant", how="left", maintain_order="left")
    means = runs.group_by("variant", "x", "series", "other", maintain_order=True).agg(
        pl.col(*PANELS).mean(), pl.col(*LIMITS).first()
    )
    rows = [
        {"variant": row["variant"], "values": [shown(row["variant"], key) for key in keys]}
        | {c: row[c] for c in (*PANELS, *LIMITS)}
        for row in means.sort("x", nulls_last=True, maintain_order=True).iter_rows(named=True)
    ]
    drawn = (
        svg(_curves(f"{name}: {model}, trained on {target}", _short(key), means, runs, gain))
        if len(numbers[key]) > 1
        else None
    )
    return Sweep(model, target, name, keys, rows, gain, drawn, over(runs))


def _number(value: object) -> float | None:
    """A value as a number, which thresholds are as texts; None: it is none."""
    try:
        return None if isinstance(value, bool) else float(value)  # type: ignore[arg-type]  # what is none raises
    except ValueError:
        return None


def _short(key: str) -> str:
    return key.rpartition(".")[2]


def _curves(title: str, over: str, means: pl.DataFrame, runs: pl.DataFrame, gain: str) -> alt.TopLevelMixin:
    """Panels below each other: lines through the means of each series, points of runs, dashed what is no number."""
    numbers = means["x"].drop_nulls()
    low, high = sorted(numbers)[0], sorted(numbers)[-1]
    log = low > 0 and high / low >= LOG_FROM
    x = alt.X(
        "x:Q",
        title=f"{over} (log scale)" if log else over,
        scale=alt.Scale(type="log" if log else "linear", zero=False, nice=False, padding=12),
        axis=alt.Axis(values=sorted(set(numbers)), labelExpr="format(datum.value, '.3~r')", labelOverlap=True),
    )
    series = means["series"].unique(maintain_order=True).to_list()
    colours = alt.Scale(domain=series, range=[PALETTE[i % len(PALETTE)] for i in range(len(series))])
    legend = alt.Legend(title=None, labelLimit=0) if len(series) > 1 else None
    colour = alt.Color("series:N", scale=colours, legend=legend)
    panels = [
        _panel(column, name.format(gain), x, colour, means.drop_nulls(column), runs.drop_nulls(column))
        for column, name in PANELS.items()
        if means[column].count()
    ]
    head = alt.TitleParams(
        title,
        subtitle=[
            "points: runs; lines: through means",
            *(line.replace("lines:", "upright:") for line in lines_are(runs)),
            *(["dashed: values that are no number"] if means["x"].null_count() else []),
        ],
    )
    return styled(alt.vconcat(*panels, title=head))


def _panel(
    column: str, name: str, x: alt.X, colour: alt.Color, means: pl.DataFrame, runs: pl.DataFrame
) -> alt.LayerChart | alt.FacetChart:
    y = alt.Y(f"{column}:Q", title=name, scale=alt.Scale(zero=False, padding=8))
    placed, other = means.drop_nulls("x").sort("x"), means.filter(pl.col("x").is_null())
    dashed = alt.Chart(other).encode(y=y, color=colour)
    layers: list[alt.Chart] = [
        alt.Chart(placed).mark_line(strokeWidth=2).encode(x=x, y=y, color=colour),
        alt.Chart(placed.filter(pl.col("other") != "")).mark_text(dy=-9, fontSize=11).encode(x=x, y=y, text="other:N"),
        alt.Chart(runs.drop_nulls("x")).mark_point(filled=True, size=50).encode(x=x, y=y, color=colour),
        dashed.mark_rule(strokeDash=[5, 3], strokeWidth=1.5),
        dashed.mark_text(align="right", dy=-6, fontSize=12).encode(x=alt.value(WIDTH), text="other:N"),
    ]
    if column != "masked":
        known = means.drop_nulls(["x", f"{column}_low"])
        limits = {"y": alt.Y(f"{column}_low:Q", title=name), "y2": f"{column}_high:Q"}
        layers.append(alt.Chart(known).mark_rule(strokeWidth=1.5, opacity=0.6).encode(x=x, color=colour, **limits))
        zero = alt.Chart(pl.DataFrame({column: [0.0]}))
        layers.insert(0, zero.mark_rule(color=GREY, opacity=0.6).encode(y=y))
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)

"""The frontier: its marks, intervals, labels and published values; and that no name can inject markup."""

import math
import re
import xml.etree.ElementTree as ET

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_figures import points, summary, texts

from clearminds.files.summary import COMPARISONS
from clearminds.report.figure_files import stacked
from clearminds.report.figures import svg
from clearminds.report.frontier import frontier, ti_bwt
from clearminds.report.marks import beside, marks
from clearminds.report.published import published

RUNS = (("base", None, 0.0, 0.0), ("stm", 0, 5.0, -1.0), ("stm", 1, 6.0, -2.0), ("truth", 0, 8.0, -30.0))
MARKS = len(RUNS) + 3  # one per run, and one per variant
HOSTILE = "<script>alert(1)</script>"


def with_limits(frame, **limits):
    """The summary with intervals of variants: ti_low, ti_high, bwt_low, bwt_high each."""
    for n, name in enumerate(("ti_low", "ti_high", "bwt_low", "bwt_high")):
        values = {variant.replace("_", "-"): own[n] for variant, own in limits.items()}
        frame = frame.with_columns(pl.col("variant").replace_strict(values, default=None).alias(name))
    return frame


def drawn(frame, others=None, comparisons=None):
    """The figures below each other, without comparisons unless these are given."""
    return stacked(
        [svg(one) for one in ti_bwt(frame, COMPARISONS.to_frame() if comparisons is None else comparisons, others)]
    )


def said(drawing):
    """What marks are called, for pointers and screen readers."""
    roles = ET.fromstring(drawing).iter()
    return [e.get("aria-label") for e in roles if e.get("aria-roledescription") == "point"]


def rules(drawing):
    """Lines of intervals, which have a colour of a variant."""
    groups = [e for e in ET.fromstring(drawing).iter() if "mark-rule role-mark" in e.get("class", "")]
    return [line for group in groups for line in group if line.get("stroke") != "#555555"]


def test_a_target_that_has_a_likelihood_alone_shows_its_change():
    own = pl.when(pl.col("variant") == "base").then(0.0).otherwise(12.5)
    measured = summary(*RUNS).with_columns(
        ti=pl.lit(None, pl.Float64),
        role=pl.when(pl.col("eval_task") == "sums").then(pl.lit("likelihood")).otherwise("role"),
        relative_change=pl.when(pl.col("eval_task") == "sums").then(own),
    )
    drawing = drawn(measured)
    assert points(drawing) == MARKS and "change of the target's likelihood (%)" in texts(drawing)
    assert "stm: change of likelihood +12.50 %, BWT -1.50 %" in said(drawing) and rules(drawing) == []
    row = {"model": "tiny", "target": "sums", "variant": "stm", "other": "base", "measure": "sums"}
    pairs = pl.DataFrame([{**row, "role": "likelihood", "low": 10.0, "high": 15.0}], schema=COMPARISONS)
    drawing = drawn(measured, comparisons=pairs)
    assert "stm: change of likelihood +12.50 % (+10.0 to +15.0), BWT -1.50 %" in said(drawing)
    assert len(rules(drawing)) == 1
    assert "TI: relative change on the target (%)" in texts(drawn(summary(*RUNS)))


def test_a_mark_per_run_and_one_per_variant_which_the_legend_names():
    drawing = drawn(summary(*RUNS))
    assert points(drawing) == MARKS and rules(drawing) == []
    assert [texts(drawing).count(name) for name in ("base", "stm", "truth")] == [2, 2, 2], "and beside its mark"
    assert {"stm: TI +5.50 %, BWT -1.50 %", "stm, seed 1: gain +6.00 %, BWT -2.00 %"} <= set(said(drawing))


def test_intervals_are_lines_and_are_said():
    limits = {"stm": (1.0, 10.0, -4.0, 1.0), "truth": (None, None, -40.0, -20.0)}
    drawing = drawn(with_limits(summary(*RUNS), **limits))
    assert len(rules(drawing)) == 3, "one without an interval of TI"
    assert "stm: TI +5.50 % (+1.0 to +10.0), BWT -1.50 % (-4.0 to +1.0)" in said(drawing)
    assert "truth: TI +8.00 %, BWT -30.00 % (-40.0 to -20.0)" in said(drawing)


@pytest.mark.parametrize(
    ("alone", "said_so"),
    [
        ((), ["lines: 95 % intervals over items and seeds"]),
        (("truth",), ["lines: 95 % intervals", "over items and seeds: stm", "over items only, this seed: truth"]),
        (("stm", "truth"), ["lines: 95 % intervals over items only, this seed"]),
    ],
)
def test_what_intervals_are_over_stands_in_the_figure(alone, said_so):
    own = (
        pl.when(pl.col("variant").is_in(alone))
        .then(pl.lit("items only, this seed"))
        .otherwise(pl.lit("items and seeds"))
    )
    frame = with_limits(summary(*RUNS), stm=(1.0, 10.0, -4.0, 1.0), truth=(None, None, -40.0, -20.0))
    drawing = drawn(frame.with_columns(interval=pl.when(pl.col("variant") != "base").then(own)))
    lines = re.findall("<tspan[^>]*>([^<]*)</tspan>", drawing)
    assert [line for line in lines if "interval" in line or line.startswith("over ")] == said_so
    what = "items only, this seed" if "stm" in alone else "items and seeds"
    assert f"stm: TI +5.50 % (+1.0 to +10.0), BWT -1.50 % (-4.0 to +1.0); 95 % intervals over {what}" in said(drawing)


def test_a_panel_per_target():
    drawing = drawn(summary(*RUNS, targets=("sums", "gcd")))
    assert points(drawing) == 2 * MARKS
    assert {"tiny, trained on sums", "tiny, trained on gcd"} <= set(texts(drawing))


def test_runs_without_ti_or_bwt_have_no_mark():
    assert points(drawn(summary(*RUNS, ("odd", 0, None, 1.0)))) == MARKS
    drawing = drawn(summary(("base", None, None, 0.0), ("stm", 0, None, 1.0)))
    assert texts(drawing) == ["No variant has both a change on the target and a BWT."]


def test_marks_at_one_place_still_draw():
    assert points(drawn(summary(("base", None, 0.0, 0.0), ("stm", 0, 0.0, 0.0)))) == 4


def test_it_can_be_read_on_a_phone():
    names = [f"a-variant-with-a-long-name-{n}" for n in range(12)]
    drawing = drawn(summary(RUNS[0], *((name, 0, 1.0, -n) for n, name in enumerate(names))))
    assert float(re.search(r'viewBox="0 0 (\d+)', drawing)[1]) < 500, "text of 12 stays above 9 at 390 pixels"


def test_published_values_of_the_same_model_and_target_stand_beside():
    own = published({"tiny": "google/gemma-2-2b-it@0123", "other": "path/to/x"}, ["mbpp", "sums"])
    assert own.select("model", "target").unique().rows() == [("tiny", "mbpp")]
    assert dict(own.select("variant", "bwt").iter_rows())["STM 2.5"] == 0.42
    drawing = drawn(summary(*RUNS, targets=("mbpp",)), own)
    assert points(drawing) == MARKS + own.height and "STM 2.5" in texts(drawing)
    assert points(drawn(summary(*RUNS), own)) == MARKS, "not beside another target"


def test_a_model_from_elsewhere_has_no_published_values():
    assert published({"tiny": "tuned/gemma-2-2b-it"}, ["mbpp"]).is_empty()


def test_published_values_of_ti_stand_on_no_axis_of_likelihood():
    own = published({"tiny": "google/gemma-2-2b-it@0123"}, ["mbpp"])
    of_likelihood = summary(*RUNS, targets=("mbpp",)).with_columns(
        ti=pl.lit(None, pl.Float64), eval_task=pl.col("target"), role=pl.lit("likelihood"), relative_change=pl.lit(1.0)
    )
    assert drawn(of_likelihood, own) == drawn(of_likelihood)


def test_equal_charts_are_equal_bytes_and_names_are_text():
    runs = (RUNS[0], (HOSTILE, 0, 1.0, -1.0))
    drawing = drawn(summary(*runs))
    assert drawing == drawn(summary(*runs)) and "<script" not in drawing
    assert [name for name in said(drawing) if HOSTILE in name]


@pytest.mark.parametrize("bwt", [math.nextafter(0, -1), -1e-12])
def test_noise_is_no_axis_of_its_own(bwt):
    assert points(drawn(summary(RUNS[0], ("stm", 0, 1.0, bwt)))) == 4


def test_no_two_variants_share_colour_and_shape():
    pairs = list(zip(*marks([str(n) for n in range(144)]), strict=True))
    assert len(set(pairs)) == 144
    colours, shapes = zip(*pairs[:12], strict=True)
    assert len(set(colours)) == len(set(shapes)) == 12, "a dozen share neither"


@given(st.lists(st.tuples(st.floats(0, 320), st.floats(0, 320)), max_size=12))
def test_a_name_beside_its_mark_stays_in_the_panel(places):
    points = {"name" * (1 + n % 3) + str(n): place for n, place in enumerate(places)}
    found = beside(points, 320, 320)
    assert set(found) <= set(points)
    for name, place in found.items():
        reach = len(name) * 6
        assert place != "right" or points[name][0] + reach <= 320
        assert place != "left" or points[name][0] - reach >= 0


def test_names_that_would_cover_each_other_are_left_to_the_legend():
    assert beside({"a": (100, 100)}, 320, 320) == {"a": "right"}
    assert beside({"a" * 40: (100, 100)}, 320, 320) == {}
    crowd = {f"name-{n}": (100 + n, 100.0) for n in range(9)}
    assert 0 < len(beside(crowd, 320, 320)) < 9


def test_the_frontier_is_what_no_other_exceeds_in_both():
    rows = [("base", 0.0, 0.0), ("kept", 5.0, -1.0), ("most", 9.0, -8.0), ("less", 4.0, -2.0), ("as-good", 5.0, -3.0)]
    means = pl.DataFrame(rows, schema=["variant", "gain", "bwt"], orient="row")
    assert frontier(means)["variant"].to_list() == ["base", "kept", "most"]
    assert "dotted" not in drawn(summary(("base", None, 0.0, 0.0), ("stm", 0, -1.0, -1.0)))
    assert "dotted: the frontier" in drawn(summary(*RUNS))


def test_lines_end_where_no_score_can_go():
    frame = with_limits(summary(*RUNS), stm=(-185.0, 10.0, -4.0, 1.0))
    assert "stm: TI +5.50 % (-100.0 to +10.0), BWT -1.50 % (-4.0 to +1.0)" in said(drawn(frame))

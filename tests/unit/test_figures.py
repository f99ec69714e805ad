"""The figures: what they count and draw, that equal charts give equal bytes, and that names cannot inject markup."""

import math
import xml.etree.ElementTree as ET

import altair as alt
import polars as pl
import pyarrow as pa
import pytest
import vl_convert as vlc

from clearminds.files import contracts
from clearminds.files.summary import SUMMARY
from clearminds.files.tables import write_table
from clearminds.report.figures import perplexity_bins, perplexity_counts, perplexity_distribution, save_svg, svg

TAU = {"τ = 2.5": 2.5}


def summary(*runs, targets=("sums",)):
    return pl.DataFrame(
        [
            {
                "variant": v,
                "seed": s,
                "eval_task": task,
                "role": "ood",
                "ti": ti,
                "bwt": bwt,
                "model": "tiny",
                "target": target,
            }
            for target in targets
            for v, s, ti, bwt in runs
            for task in ("sums", "gcd")
        ],
        schema=SUMMARY,
    )


@pytest.fixture
def scores(tmp_path):
    def write(name, perplexities):
        logprobs = pa.array([-math.log(p) for p in perplexities], pa.float32())
        columns = {field.name: pa.nulls(len(logprobs), field.type) for field in contracts.TOKEN_SCORES.schema} | {
            "logprob": logprobs
        }
        write_table(
            tmp_path / f"{name}.parquet",
            pa.table(columns, schema=contracts.TOKEN_SCORES.schema),
            contracts.TOKEN_SCORES,
            {},
        )
        return name, tmp_path / f"{name}.parquet"

    return write


def texts(drawing):
    return [element.text or "" for element in ET.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text")]


def points(drawing):
    marks = [e for e in ET.fromstring(drawing).iter() if "mark-symbol role-mark" in e.get("class", "")]
    return sum(len(group) for group in marks)


def test_bins_count_every_token_once(scores):
    bins = perplexity_bins([scores("reference", [1, 1.1, 2, 50, 1e9]), scores("self_output", [1])])
    assert bins.group_by("source", maintain_order=True).agg(pl.col("n_tokens").sum(), pl.col("share").sum()).rows() == [
        ("reference", 5, pytest.approx(1)),
        ("self_output", 1, pytest.approx(1)),
    ]
    reference = bins.filter(pl.col("source") == "reference", pl.col("n_tokens") > 0)
    assert reference["n_tokens"].to_list() == [2, 1, 1, 1]
    assert reference["low"].to_list() == pytest.approx([1, 10**0.3, 10**1.6, 1e4])


def test_tokens_above_tau_are_counted_as_masks_are_built(scores):
    files = [scores("reference", [1, 2.5, 2.6, 100]), scores("self_output", [1, 1])]
    at_tau = math.exp(
        float(pl.scan_parquet(files[0][1]).select(-pl.col("logprob").cast(pl.Float64)).collect()["logprob"][1])
    )
    assert perplexity_counts(files, math.nextafter(at_tau, 3)).rows() == [
        ("reference", 4, 2, 0.5),
        ("self_output", 2, 0, 0.0),
    ]
    assert perplexity_counts(files, None).rows() == [("reference", 4, None, None), ("self_output", 2, None, None)]


def test_the_distribution_names_tau_and_shares(scores):
    files = [scores("reference", [1, 2, 3, 100]), scores("self_output", [1])]
    found = texts(svg(perplexity_distribution(files, TAU, "here")))
    assert {
        "τ = 2.5",
        "reference, 4 tokens, 50.0 % above τ = 2.5",
        "self_output, 1 tokens, 0.0 % above τ = 2.5",
    } <= set(found)
    assert not any("τ" in text for text in texts(svg(perplexity_distribution(files, {}, "here"))))


def test_every_threshold_is_a_line_and_the_figure_says_of_what_it_is(scores):
    files = [scores("reference", [1, 2, 3, 100])]
    drawing = svg(perplexity_distribution(files, {**TAU, "τ = 22.8 (auto)": 22.8}, "tiny, trained on sums"))
    assert {"τ = 2.5", "τ = 22.8 (auto)"} <= set(texts(drawing)) and "tiny, trained on sums" in drawing


def test_a_layer_without_marks_is_no_picture_of_nothing():
    points = alt.Chart(pl.DataFrame({"x": [1]})).mark_point().encode(x="x:Q")
    nothing = alt.Chart(pl.DataFrame({"x": []}, schema={"x": pl.Int64})).mark_rule().encode(x="x:Q")
    drawn = svg(points + nothing)
    assert "rule mark container" in vlc.vegalite_to_svg((points + nothing).to_dict())
    assert "rule mark container" not in drawn and "symbol mark container" in drawn
    ET.fromstring(drawn)


def test_saving_twice_gives_equal_bytes(scores, tmp_path):
    files = [scores("reference", [1, 2, 3, 100])]
    for make in (
        lambda: perplexity_distribution(files, {}, "here"),
        lambda: perplexity_distribution(files, TAU, "here"),
    ):
        save_svg(make(), tmp_path / "a.svg")
        save_svg(make(), tmp_path / "b.svg")
        assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert sorted(p.name for p in tmp_path.glob("*svg*")) == ["a.svg", "b.svg"]

"""The table of comparisons from hand-made evaluations: pairs, tests, their correction, and how it is printed."""

from functools import partial

import polars as pl
import pytest
from evaluated import (
    BASE,
    STM_0,
    STM_1,
    TASKS,
    TRUTH_0,
    compared,
    compared_in,
    score_of,
    written,
)

from clearminds.files.summary import COMPARISONS
from clearminds.report.comparison_table import printed_comparisons
from clearminds.report.result_table import terminal_table
from clearminds.report.text_table import LATEX, MARKDOWN
from clearminds.stages.statistics.exact import holm
from clearminds.stages.summarise import tables


@pytest.fixture
def study(tmp_path):
    return partial(written, tmp_path)


def test_every_pair_is_compared_and_each_variant_with_the_base(study):
    made = tables(study(("base", None, BASE), ("stm", 0, STM_0), ("stm", 1, STM_1), ("truth", 0, TRUTH_0)), TASKS)
    assert made.comparisons.schema == COMPARISONS
    pairs = made.comparisons.select("variant", "other").unique(maintain_order=True).rows()
    assert pairs == [("stm", "base"), ("truth", "base"), ("truth", "stm")]
    assert made.comparisons.filter(pl.col("variant") == "stm")["measure"].to_list() == ["TI", "BWT", *TASKS]

    with_base = compared(made, "stm", "base", "TI")
    assert with_base["difference"] == pytest.approx(37.5)  # the mean over seeds
    assert (with_base["seeds"], with_base["interval"], with_base["test"]) == (2, "items and seeds", "interval")
    assert with_base["low"] == score_of(made.summary, "stm", 0, "sums", "ti_low")
    assert with_base["unit"] == "% of base"

    pair = compared(made, "truth", "stm", "sums")  # seed 0 of both
    assert pair["difference"] == pytest.approx(10)
    assert (pair["lost"], pair["gained"], pair["p"], pair["test"]) == (0, 1, 1, "McNemar, exact")
    assert (pair["unit"], pair["interval"], pair["seeds"]) == ("points", "items only, this seed", 1)
    assert pair["note"] == "left out: seed 1 of stm alone"
    assert pair["verdict"] == "too few items to tell"
    assert compared(made, "truth", "stm", "text")["lost"] is None
    assert compared(made, "truth", "stm", "BWT")["difference"] == pytest.approx(-90 + 12.5)


def test_a_pair_without_a_common_seed_is_there_and_blank(study):
    made = tables(study(("base", None, BASE), ("stm", 1, STM_1), ("truth", 0, TRUTH_0)), TASKS)
    pair = made.comparisons.filter(pl.col("variant") == "truth", pl.col("other") == "stm")
    assert pair["measure"].to_list() == ["TI", "BWT", *TASKS]
    for column in ("difference", "low", "lost", "test", "p", "p_holm", "detectable_holm", "verdict", "format_failure"):
        assert pair[column].null_count() == len(pair), column
    note = "they have no seed in common; left out: seed 0 of truth alone; left out: seed 1 of stm alone"
    assert set(pair["note"]) == {note} and set(pair["seeds"]) == {0}
    assert f"BWT, {', '.join(TASKS)}: {note}." in printed_comparisons(made.comparisons, MARKDOWN)


def test_p_values_are_corrected_for_all_comparisons_of_the_study_in_two_families(study):
    made = tables(study(("base", None, BASE), ("stm", 0, STM_0), ("truth", 0, TRUTH_0)), TASKS)
    for claims in (["ti", "bwt"], ["target", "ood", "likelihood", "drift"]):
        family = made.comparisons.filter(pl.col("role").is_in(claims)).drop_nulls("p")
        assert family["p_holm"].to_list() == holm(family["p"].to_list())
    assert {"better", "worse"} & set(made.comparisons["verdict"])


def test_what_can_be_detected_grows_with_the_number_of_comparisons(study):
    runs = [("base", None, BASE), ("stm", 0, STM_0), ("truth", 0, TRUTH_0)]
    few, many = tables(study(*runs[:2]), TASKS), tables(study(*runs), TASKS)
    one, another = (compared(made, "stm", "base", "BWT") for made in (few, many))
    assert one["detectable"] == another["detectable"], "of one comparison alone"
    assert one["detectable"] < one["detectable_holm"] < another["detectable_holm"]


def test_drift_from_the_base_is_measured_and_not_tested(study):
    made = tables(study(("base", None, BASE), ("stm", 0, STM_0), ("truth", 0, TRUTH_0)), TASKS)
    with_base = compared(made, "stm", "base", "chat")
    assert with_base["low"] <= with_base["difference"] <= with_base["high"] < 0
    assert [with_base[key] for key in ("test", "p", "p_holm", "detectable", "verdict")] == ["none", *[None] * 4]
    assert "nothing drifts less" in with_base["note"]
    pair = compared(made, "truth", "stm", "chat")  # either may drift more than the other
    assert (pair["test"], pair["note"]) == ("interval", None) and pair["p_holm"] is not None


def test_a_base_score_of_0_names_the_task_and_offers_bwt_over_the_others(study):
    made = tables(study(("base", None, {**BASE, "gcd": 0}), ("stm", 0, STM_0)), TASKS)
    whole, rest = (compared(made, "stm", "base", name) for name in ("BWT", "BWT without gcd"))
    assert (whole["difference"], whole["verdict"], whole["note"]) == (None, None, "the base scores 0 on gcd")
    assert (rest["difference"], rest["note"]) == (pytest.approx(-25), "over mmlu")
    assert compared(made, "stm", "base", "gcd")["difference"] == pytest.approx(50)  # points are defined
    said = f"BWT without gcd: stm -25.00 % [{rest['low']:+.1f}, {rest['high']:+.1f}], too few items to tell."
    assert said in terminal_table(made.summary, made.comparisons)


def test_where_no_task_is_left_no_bwt_is_offered(study):
    made = tables(study(("base", None, {**BASE, "gcd": 0, "mmlu": (0, 0)}), ("stm", 0, STM_0)), TASKS)
    text = terminal_table(made.summary, made.comparisons)
    assert "scores 0 on gcd" in text and "scores 0 on mmlu" in text and "without" not in text


def test_comparisons_tell_mistakes_of_format_from_wrong_answers(study):
    made = tables(study(("base", None, BASE), ("stm", 0, STM_0), ("stm", 1, STM_1)), TASKS)
    gcd = compared(made, "stm", "base", "gcd")
    # of 10 items the base has 4 wrong answers and 1 mistake of format; seed 0 is equal, seed 1 has 1 wrong answer more
    assert (gcd["wrong_answer"], gcd["format_failure"]) == (pytest.approx(5), pytest.approx(0))
    assert gcd["difference"] == pytest.approx(-gcd["wrong_answer"] - gcd["format_failure"])
    improved = compared(made, "stm", "base", "TI")
    assert (improved["wrong_answer"], improved["format_failure"]) == (pytest.approx(-10), pytest.approx(-5))
    for measure in ("BWT", "mmlu", "text"):
        assert compared(made, "stm", "base", measure)["format_failure"] is None


def test_comparisons_are_printed_with_what_is_undefined_and_why(study):
    made = tables(
        study(("base", None, {**BASE, "gcd": 0}), ("stm", 0, STM_0), ("truth", 0, TRUTH_0)), TASKS
    ).comparisons
    markdown, latex = (printed_comparisons(made, style) for style in (MARKDOWN, LATEX))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in markdown.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + made.height and {len(row) for row in rows} == {14}
    [row] = [row for row in rows if row[:3] == ["truth", "stm", "sums"]]
    one = compared_in(made, "truth", "stm", "sums")
    assert row[3] == f"+10.00 [{one['low']:+.1f}, {one['high']:+.1f}]"
    counted = ["points", "0", "1", "McNemar, exact", "1", "1"]
    assert row[4:] == [*counted, f"{one['detectable_holm']:.1f}", "too few items to tell", "-10.00", "+0.00"]
    assert ["stm", "base", "BWT", "-", "% of base", *["-"] * 9] in rows
    [row] = [row for row in rows if row[:3] == ["truth", "stm", "mmlu"]]
    assert row[7] == "interval" and row[10] == f"{compared_in(made, 'truth', 'stm', 'mmlu')['detectable_holm']:.1f}"
    plain = printed_comparisons(made.with_columns(wrong_answer=None, format_failure=None), MARKDOWN)
    assert "format" in markdown.splitlines()[2] and "format" not in plain
    assert "BWT: the base scores 0 on gcd." in markdown
    assert "chat: not tested: the base has not drifted from itself, and nothing drifts less." in markdown
    assert "\n% BWT: the base scores 0 on gcd.\n" in latex and latex.count("\\% of base") == markdown.count("% of base")

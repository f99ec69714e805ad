"""The curves and tables of sweeps: which key they go over, what is drawn of it, and what stands in their rows."""

import polars as pl
import pytest
from test_figures import points, summary, texts

from clearminds.files.summary import COMPARISONS
from clearminds.report.sweeps import sweeps

COUNTS = {"variant": pl.String, "kept_share": pl.Float64, "model": pl.String, "target": pl.String}


def swept(sweep="stm", **values):
    return {"responses": "reference", "swept": {"sweep": sweep, "values": values}}


def variants(taus, rates=(None,)):
    found = {}
    for tau in taus:
        for rate in rates:
            values = {"weights.tau": tau} | ({} if rate is None else {"training.learning_rate": rate})
            found[f"stm-tau{tau}" + ("" if rate is None else f"-lr{rate}")] = swept(**values)
    return found


def counts(names, targets=("sums",)):
    rows = [(name, 1 - n / 10, "tiny", target) for target in targets for n, name in enumerate(names)]
    return pl.DataFrame(rows, schema=COUNTS, orient="row")


def runs(names, seeds=(0,)):
    return [("base", None, 0.0, 0.0), *((name, s, 10.0 * n + s, -n) for n, name in enumerate(names) for s in seeds)]


def made(study, seeds=(0,), targets=("sums",)):
    table = summary(*runs(study, seeds), targets=targets)
    return sweeps(study, table, COMPARISONS.to_frame(), counts(study, targets))


def test_a_study_without_sweeps_has_none():
    study = {"truth": {"responses": "reference"}}
    assert made(study) == []


def test_a_row_has_the_values_and_the_means_over_seeds():
    [sweep] = made(variants(["1.5", "2", "10"]), seeds=(0, 1))
    assert (sweep.name, sweep.keys, sweep.model, sweep.target) == ("stm", ["weights.tau"], "tiny", "sums")
    assert [row["variant"] for row in sweep.rows] == ["stm-tau1.5", "stm-tau2", "stm-tau10"]
    last = sweep.rows[-1]
    assert last["values"] == ["10"] and last["masked"] == pytest.approx(20)
    assert (last["gain"], last["bwt"]) == (20.5, -2)


def test_each_run_has_a_point_in_each_panel():
    [sweep] = made(variants(["1.5", "2", "10"]), seeds=(0, 1))
    assert points(sweep.svg) == 3 * 2 * 3
    assert {"TI (%)", "BWT (%)", "tokens masked (%)", "stm: tiny, trained on sums"} <= set(texts(sweep.svg))


def test_a_change_of_likelihood_is_not_called_ti():
    study = variants(["1.5", "2"])
    table = summary(*runs(study)).with_columns(
        ti=pl.lit(None, pl.Float64), eval_task=pl.col("target"), role=pl.lit("likelihood"), relative_change=pl.lit(1.0)
    )
    row = {"model": "tiny", "target": "sums", "other": "base", "measure": "sums", "role": "likelihood"}
    rows = [{**row, "variant": "stm-tau2", "low": 0.5, "high": 1.5, "interval": "items only, this seed"}]
    [sweep] = sweeps(study, table, pl.DataFrame(rows, schema=COMPARISONS), counts(study))
    found = [(row["gain_low"], row["gain_high"]) for row in sweep.rows]
    assert found == [(None, None), (0.5, 1.5)], "of the comparisons, which have it over seeds"
    assert sweep.over == {"items only, this seed": ["stm-tau2"]}
    assert ">upright: 95 % intervals over items only, this seed</tspan>" in sweep.svg
    assert sweep.gain == "change of likelihood"
    assert "change of likelihood (%)" in texts(sweep.svg) and "TI (%)" not in texts(sweep.svg)


@pytest.mark.parametrize(("taus", "axis"), [(["1.5", "1000"], "tau (log scale)"), (["2", "3"], "tau")])
def test_values_far_apart_have_a_logarithmic_axis(taus, axis):
    [sweep] = made(variants(taus))
    assert axis in texts(sweep.svg)


def test_a_value_that_is_no_number_is_a_line_of_its_own():
    [sweep] = made(variants(["2", "auto", "3"]))
    assert points(sweep.svg) == 2 * 3 and texts(sweep.svg).count("tau auto") == 3


def test_a_value_that_the_data_chose_stands_at_its_own_place():
    study = variants(["auto", "10", "2"])
    fitted = {("tiny", "sums", "stm-tauauto"): 3.7}
    [sweep] = sweeps(study, summary(*runs(study)), COMPARISONS.to_frame(), counts(study), fitted)
    assert [row["values"] for row in sweep.rows] == [["2"], ["auto (3.7)"], ["10"]], "by number"
    assert points(sweep.svg) == 3 * 3 and "dashed" not in sweep.svg
    assert texts(sweep.svg).count("tau auto") == 3, "and is called what the study says"


def test_the_curve_goes_over_the_key_of_most_numbers_and_the_other_tells_lines_apart():
    [sweep] = made(variants(["2", "auto"], [0.1, 0.2, 0.4]))
    assert sweep.keys == ["training.learning_rate", "weights.tau"] and sweep.rows[0]["values"] == [0.1, "2"]
    assert {"tau 2", "tau auto"} <= set(texts(sweep.svg))
    assert made(variants(["2", "3"], [0.1, 0.2]))[0].keys[0] == "weights.tau", "of equally many the first"


def test_without_two_numbers_there_is_a_table_alone():
    [sweep] = made({"a-x": swept(**{"loss.rule": "dft"}), "a-y": swept(**{"loss.rule": "profit"})})
    assert sweep.svg is None and [row["values"] for row in sweep.rows] == [["dft"], ["profit"]]


def test_there_is_one_for_each_sweep_and_target_and_equal_ones_are_equal_bytes():
    study = variants(["2", "3"]) | {"b-rank1": swept("b", **{"training.rank": 1}), "truth": {"responses": "reference"}}
    found = made(study, targets=("sums", "gcd"))
    assert [(s.name, s.target) for s in found] == [("stm", "sums"), ("b", "sums"), ("stm", "gcd"), ("b", "gcd")]
    assert found == made(study, targets=("sums", "gcd"))


def test_a_variant_whose_training_failed_has_a_row_without_numbers():
    study = variants(["2", "3", "4"])
    partial = summary(*runs(list(study)[:2]))
    [sweep] = sweeps(study, partial, COMPARISONS.to_frame(), counts(list(study)))
    assert (sweep.rows[2]["gain"], sweep.rows[2]["bwt"]) == (None, None) and points(sweep.svg) == 2 + 2 + 3

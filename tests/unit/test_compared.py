"""Every comparison on the page: its numbers, its verdict, and what that rests on."""

import polars as pl
import pytest

from clearminds.files.summary import BASE, COMPARISONS
from clearminds.report.compared import MOST, compared, comparison_data, families, verdicts

FIRST = {
    **{"model": "tiny", "target": "sums", "variant": "stm", "other": BASE, "measure": "TI", "role": "ti"},
    **{"difference": 214.3, "low": 75.8, "high": 352.7, "unit": "% of base", "interval": "items and seeds", "seeds": 2},
    **{"p": 0.003, "p_holm": 0.73, "detectable": 200.0, "detectable_holm": 334.0, "verdict": "too few items to tell"},
}


def table(*rows):
    return pl.DataFrame([{**FIRST, **row} for row in rows], schema=COMPARISONS)


def line(**keys):
    [one] = compared(table(keys))
    return one.lines[0]


def test_a_line_has_the_numbers_as_they_are_read():
    one = line()
    assert (one.difference, one.low_high, one.p, one.detectable) == (
        "+214\N{NO-BREAK SPACE}%",
        "[+75.8, +353]",
        "0.73",
        "334",
    )
    points = line(measure="sums", role="target", unit="points", difference=-0.03, low=-5.0, high=5.0)
    assert points.difference == "-0.03\N{NO-BREAK SPACE}points" and points.low_high == "[-5.0, +5.0]"


def test_what_no_score_can_reach_is_cut_off_against_the_base_alone():
    assert line(low=-185.0).low_high == "[-100, +353]"
    assert line(low=-185.0, other="truth").low_high == "[-185, +353]"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, ["leaves out 0; among 1 comparisons"]),
        ({"low": -5.0}, []),
        ({"low": -5.0, "detectable_holm": 33000.0}, ["Seeds, not items, are the limit: 2 of them"]),
        ({"detectable_holm": 33000.0}, ["leaves out 0", "Seeds, not items"]),
        ({"detectable_holm": 33000.0, "low": -5.0, "seeds": 1}, []),
        ({"verdict": "better"}, []),
        ({"verdict": None, "p": None, "note": "not tested: why"}, ["Not tested: why."]),
    ],
)
def test_why_a_verdict_is_not_what_its_interval_looks_like(keys, said):
    why = line(**keys).why
    assert all(part in why for part in said) and bool(why) == bool(said)


def test_without_a_difference_it_is_undefined():
    one = line(
        difference=None, low=None, high=None, p=None, p_holm=None, verdict=None, note="the base scores 0 on sums"
    )
    assert (one.difference, one.low_high, one.verdict, one.why) == (
        *("undefined", "", "undefined"),
        "The base scores 0 on sums.",
    )


def test_claims_and_tasks_are_corrected_apart_over_the_whole_study():
    rows = table(
        {}, {"role": "bwt", "measure": "BWT"}, {"role": "ood", "measure": "gcd"}, {"target": "gcd"}, {"p": None}
    )
    assert families(rows) == {True: 3, False: 1}
    assert [(one.target, len(one.lines)) for one in compared(rows)] == [("sums", 4), ("gcd", 1)]


def test_the_script_finds_what_the_lines_say():
    found = compared(table({}, {"variant": "truth", "other": "stm", "role": "ood", "measure": "gcd"}))
    data = comparison_data(found)
    [[first, second]] = data["groups"]
    assert [data["texts"][place] for place in second[:4]] == ["truth", "stm", "gcd", "too few items to tell"]
    assert (first[5], second[5]) == (1, 0) and first[6:] == ["+214\N{NO-BREAK SPACE}%", "[+75.8, +353]", "0.73", "334"]
    assert [one.variant for one in found[0].shown] == ["stm"] and found[0].said == "1 too few items to tell"


def test_of_very_many_those_with_the_base_and_of_ti_and_bwt_are_kept():
    pair = {"other": "truth", "role": "ood", "measure": "gcd"}
    rows = pl.concat([table({}, {"other": "truth"}, pair), *[table(pair)] * 3])
    many = pl.concat([rows, table({**pair, "other": BASE}), *([pl.concat([table(pair)] * 1000)] * (MOST // 1000))])
    assert [(one.other, one.role) for one in compared(many)[0].lines] == [(BASE, "ti"), ("truth", "ti"), (BASE, "ood")]


def test_verdicts_with_the_base_by_variant_and_measure():
    rows = table({"verdict": "better"}, {"other": "truth"}, {"target": "gcd", "variant": "other"})
    assert verdicts(rows, "tiny", "sums") == {("stm", "TI"): "better"}

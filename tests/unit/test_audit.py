"""Published TI and BWT against the scores beside them: rows of arXiv 2501.14315, and mistakes of each kind."""

import pytest

from clearminds.commands.audit import in_words, main, read
from clearminds.errors import UserError
from clearminds.stages.statistics.audit import audit

TASKS = ("MBPP", "MATH", "ARC", "GSM8K", "BIRD")
BASES = {
    "Gemma-2-2b-it": (".5106", ".2810", ".7474", ".5845", ".1389"),
    "Llama-3-8B-Instruct": (".5926", ".3140", ".7816", ".7756", ".2053"),
    "Mistral-7B-Instruct-v0.3": (".4868", ".1720", ".6408", ".3169", ".1284"),
}
LLAMA = "Llama-3-8B-Instruct"
SCORES = (".5794", ".233", ".6049", ".185", ".176")  # of ground truth on MBPP: TI -2.23, BWT -34.71


def changes(scores, base, tasks=TASKS[1:]):
    return [
        100 * (float(score) / float(before) - 1)
        for task, score, before in zip(TASKS, scores, base, strict=True)
        if task in tasks
    ]


def mean(values):
    return f"{sum(values) / len(values):.2f}"


@pytest.fixture
def table(tmp_path):
    def write(*rows):
        header = ["row", "model", "target", *(f"base_{task}" for task in TASKS), *TASKS, "ti", "bwt"]
        lines = [
            ",".join([str(n), model, "MBPP", *BASES[model], *scores, ti, bwt])
            for n, (model, scores, ti, bwt) in enumerate(rows, 1)
        ]
        path = tmp_path / "scores.csv"
        path.write_text("\n".join([",".join(header), *lines]) + "\n", encoding="utf-8")
        return path

    return write


def test_the_published_example_follows(table, capsys):
    main([str(table((LLAMA, SCORES, "-2.23", "-34.71")))])
    assert (
        capsys.readouterr().out == "2 claims: 2 follow from their scores, 0 do not (in 0 rows), 0 cannot be computed\n"
    )


@pytest.mark.parametrize("change", [0.2, -0.2])
def test_another_number_does_not_follow(table, change, capsys):
    with pytest.raises(SystemExit):
        main([str(table((LLAMA, SCORES, "-2.23", f"{-34.71 + change:.2f}")))])
    assert "from its scores it is -34.71; likely cause: no single cause gives it" in capsys.readouterr().out


def test_a_base_of_another_task_that_is_0_ends_no_audit(table):
    path = table((LLAMA, SCORES, "7.77", ""))
    path.write_text(path.read_text(encoding="utf-8").replace(",.3140,", ",.0000,"), encoding="utf-8")
    [one] = audit(read(path))
    assert one.follows is False


def test_what_rounding_of_low_scores_leaves_open_follows(table):
    rows = [
        path.replace(",.5926,", ",.1,")
        for path in table((LLAMA, (".2", *SCORES[1:]), "300", "")).read_text().splitlines()
    ]
    low = [
        row.replace(",.3140,.7816,.7756,.2053,", ",.3,.8,.8,.2,").replace(",.233,.6049,.185,.176,", ",.2,.6,.2,.2,")
        for row in rows
    ]
    path = table((LLAMA, SCORES, "", ""))
    path.write_text("\n".join(low) + "\n", encoding="utf-8")
    [one] = audit(read(path))
    assert one.follows, "the base may be .06 and the score .24"


OTHER, OWN = BASES["Gemma-2-2b-it"], BASES[LLAMA]
BLANK = (*SCORES[:3], "", SCORES[4])
WITH_MIXED = [changes(SCORES, OWN)[0], *changes(SCORES, OWN)[1:3], changes(SCORES, (*OWN[:4], OTHER[4]))[3]]


@pytest.mark.parametrize(
    ("scores", "bwt", "cause"),
    [
        (SCORES, mean(changes(SCORES, OTHER)), "another base (that of Gemma-2-2b-it, row 2)"),
        (SCORES, mean(WITH_MIXED), "another base on BIRD alone (of Gemma-2-2b-it, row 2)"),
        (
            SCORES,
            mean(changes((*SCORES[:1], SCORES[2], SCORES[1], *SCORES[3:]), OWN)),
            "swapped columns (MATH and ARC)",
        ),
        (BLANK, mean(changes((*SCORES[:3], "0", SCORES[4]), OWN)), "a blank counted as zero (GSM8K)"),
        (BLANK, mean([*changes(SCORES, OWN, ("MATH", "ARC", "BIRD")), 0]), "a blank counted as no change (GSM8K)"),
        (SCORES, mean(changes(SCORES, (*OWN[:4], OWN[1]))), "another task's base (MATH's for BIRD)"),
        (SCORES, mean(changes(SCORES, OWN, TASKS)), "the target counted among the other tasks"),
    ],
)
def test_the_likely_cause_is_named(table, scores, bwt, cause):
    other = ("Gemma-2-2b-it", OTHER, "0", "0.00")
    found = audit(read(table((LLAMA, scores, "-2.23", bwt), other)))
    assert [one.follows for one in found] == [True, False, True, True]
    assert cause in found[1].causes
    assert cause in in_words(found[1])


def test_a_blank_target_that_was_counted_as_zero_is_found(table, capsys):
    path = table((LLAMA, ("", *SCORES[1:]), "-100.00", "-34.71"))
    [found, other] = audit(read(path))
    assert (found.computed, found.follows, found.causes) == (None, False, ("a blank counted as zero (MBPP)",))
    assert other.follows, "BWT is not of the target"
    with pytest.raises(SystemExit):
        main([str(path)])
    said = capsys.readouterr().out
    assert "the target MBPP has no score; likely cause: a blank counted as zero (MBPP)" in said
    assert "2 claims: 1 follow from their scores, 1 do not (in 1 rows), 0 cannot be computed" in said


def test_a_blank_target_is_no_cause_of_a_wrong_bwt(table):
    found = audit(read(table((LLAMA, ("", *SCORES[1:]), "", "-30.00"))))
    assert not any("blank" in cause for one in found for cause in one.causes)


@pytest.mark.parametrize(
    ("ti", "bwt", "causes"),
    [
        ("-34.71", "-2.23", ["TI and BWT swapped"] * 2),
        ("-34.71", "", ["it is BWT, not TI"]),
        ("-34.71", "-34.71", ["it is BWT, not TI", None]),
    ],
)
def test_claims_in_each_others_column_are_found(table, ti, bwt, causes):
    found = audit(read(table((LLAMA, SCORES, ti, bwt))))
    assert [one.causes[0] if one.causes else None for one in found] == causes


@pytest.mark.parametrize("hundred", [1, 100])
def test_points_are_found_of_shares_and_of_percent(table, hundred):
    points = [100 * (float(score) - float(base)) for score, base in zip(SCORES, OWN, strict=True)]
    path = table((LLAMA, SCORES, f"{points[0]:.2f}", mean(points[1:])))
    if hundred == 100:
        text = path.read_text(encoding="utf-8")
        for score in dict.fromkeys((*SCORES, *OWN)):
            text = text.replace(f",{score},", f",{100 * float(score):.2f},")
        path.write_text(text, encoding="utf-8")
    for one in audit(read(path)):
        assert one.causes[0] == "differences in points, not relative to the base", one


def test_a_base_with_blanks_is_no_other_base(table):
    bwt = mean(changes(SCORES, OWN, ("MATH", "ARC", "GSM8K")))  # without BIRD, of which the other row has no base
    path = table((LLAMA, SCORES, "-2.23", bwt), ("Gemma-2-2b-it", OTHER, "0", "0.00"))
    text = path.read_text(encoding="utf-8")
    first, rest = text.split("Gemma-2-2b-it,MBPP,")
    blank = rest.replace(",".join(OTHER), ",".join((*OWN[:4], "")), 1)
    path.write_text(f"{first}Gemma-2-2b-it,MBPP,{blank}", encoding="utf-8")
    [_, found, *_] = audit(read(path))
    assert found.causes == ("BIRD left out",)


def test_a_blank_is_left_out_and_never_0(table):
    bwt = mean(changes(SCORES, OWN, ("MATH", "ARC", "BIRD")))
    assert [one.follows for one in audit(read(table((LLAMA, BLANK, "", bwt))))] == [True]
    [found] = audit(read(table((LLAMA, ("", *SCORES[1:]), "-2.23", ""))))
    assert found.computed is None
    assert "cannot be computed: the target MBPP has no score" in in_words(found)


def test_scores_count_as_written_with_the_decimals_of_the_longest(table):
    """.176 stands for .1760 where others have four decimals, as spreadsheets drop zeros."""
    path = table((LLAMA, ("0.6", *OWN[1:]), "1.4", "0"))  # .6000 gives 1.25
    assert [one.follows for one in audit(read(path))] == [False, True]
    coarse = path.read_text(encoding="utf-8")
    for score in dict.fromkeys(OWN):
        coarse = coarse.replace(score, f"{float(score):.1f}")
    path.write_text(coarse.replace("1.4", "16.6"), encoding="utf-8")  # .65 / .55 gives 18, .55 / .65 gives -15
    assert [one.follows for one in audit(read(path))] == [True, True]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("base_MATH,", "", "line 2: 15 cells|no column base_MATH"),
        ("target", "goal", "no column target"),
        (",ti,", ",bwt,", "the column bwt is there more than once"),
        (",MBPP,.5926", ",mbpp,.5926", "line 2: target mbpp is not one of MBPP, MATH"),
        ("-2.23", "n/a", "line 2: ti is n/a, which is no number"),
        ("-2.23", "nan", "line 2: ti is nan, which is no number"),
        ("-34.71", "-34.71,", "line 2: 16 cells, but there are 15 columns"),
    ],
)
def test_what_is_no_such_table_is_named(table, old, new, said):
    path = table((LLAMA, SCORES, "-2.23", "-34.71"))
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        read(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        read(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="is empty or no CSV"):
        read(tmp_path / "empty.csv")

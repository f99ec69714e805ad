"""The result table from hand-made evaluations whose TI and BWT are known, and what it refuses."""

import math
from functools import partial

import polars as pl
import pytest
from evaluated import (
    ACCURACY,
    BASE,
    NONE,
    STM_0,
    STM_1,
    TASKS,
    TRUTH_0,
    compared_in,
    row,
    rows_of,
    score_of,
    written,
)

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.summary import SUMMARY
from clearminds.files.tables import write_table
from clearminds.report.comparison_table import printed_comparisons
from clearminds.report.result_table import latex_table, markdown_table, result_tables, terminal_table, undefined
from clearminds.report.text_table import LATEX
from clearminds.stages.summarise import summarise, tables


@pytest.fixture
def study(tmp_path):
    return partial(written, tmp_path)


def test_known_scores_ti_and_bwt_of_two_seeds(study):
    summary = summarise(study(("base", None, BASE), ("stm", 1, STM_1), ("stm", 0, STM_0), ("truth", 0, TRUTH_0)), TASKS)

    assert summary.schema == SUMMARY
    assert summary.columns[:9] == [
        "variant",
        "seed",
        "eval_task",
        "role",
        "metric",
        "score",
        "relative_change",
        "ti",
        "bwt",
    ]
    order = [(v, s, t) for v, s in (("base", None), ("stm", 0), ("stm", 1), ("truth", 0)) for t in TASKS]
    assert summary.select("variant", "seed", "eval_task").rows() == order
    assert summary["role"].to_list()[:5] == ["ood", "target", "ood", "likelihood", "drift"]
    assert summary["metric"].to_list()[:5] == ["accuracy", "accuracy", "acc,none", "exp(-mean nll)", "exp(-mean kl)"]
    assert summary["n_items"].to_list()[:5] == [10, 10, 10, 3, 3]
    assert summary["format_ok"].to_list()[:5] == [0.8, 0.8, None, None, None]

    assert score_of(summary, "base", None, "mmlu") == 0.5  # subtasks unweighted: (1/2 + 4/8) / 2
    assert score_of(summary, "stm", 0, "mmlu") == 0.375
    assert score_of(summary, "stm", 0, "text") == pytest.approx(math.exp(-1))
    assert score_of(summary, "stm", 0, "text", "relative_change") == pytest.approx(100 * (math.e - 1))
    assert score_of(summary, "base", None, "chat") == 1

    assert score_of(summary, "base", None, "sums", "ti") == score_of(summary, "base", None, "sums", "bwt") == 0
    assert score_of(summary, "stm", 0, "gcd", "ti") == pytest.approx(50)
    assert score_of(summary, "stm", 0, "gcd", "bwt") == pytest.approx((0 - 25) / 2)
    assert score_of(summary, "stm", 1, "chat", "ti") == pytest.approx(25)
    assert score_of(summary, "stm", 1, "chat", "bwt") == pytest.approx((-20 + 0) / 2)
    assert score_of(summary, "truth", 0, "sums", "bwt") == pytest.approx((-80 - 100) / 2)


def test_equal_input_gives_equal_bytes_whatever_the_order_of_rows(study, tmp_path):
    backwards = list(rows_of(STM_0))[::-1]
    trained = {"sums": [{"example_id": "a", "messages": [{"role": "user", "content": "b"}], "reference": ""}]}
    written = []
    for rows in (list(rows_of(STM_0)), backwards):
        runs = study(("base", None, BASE), ("stm", 0, rows), ("stm", 1, STM_1), ("truth", 0, TRUTH_0))
        made = tables(runs, TASKS, trained)
        for table in (made.summary, made.comparisons, made.overlaps):
            path = tmp_path / f"written{len(written)}"
            table.write_parquet(path)
            written += [path.read_bytes()]
        printed = printed_comparisons(made.comparisons, LATEX), latex_table(made.summary, made.comparisons)
        written += [text.encode() for text in (made.summary.write_csv(), *printed)]
    assert written[: len(written) // 2] == written[len(written) // 2 :]


def test_suites_of_a_run_are_put_together(study):
    small, large = ({k: v for k, v in BASE.items() if (k in ("gcd", "sums")) == first} for first in (True, False))
    evaluations = study(
        ("base", None, small), ("base", None, large), ("stm", 0, {**large, "gcd": 5}), ("stm", 0, small)
    )
    assert summarise(evaluations, TASKS)["bwt"].to_list() == [0] * 10


def test_the_base_appears_once_per_target(study):
    evaluations = study(("base", None, BASE), ("stm", 0, STM_0), ("stm", 0, STM_0))
    evaluations[2]["target"] = "gcd"
    summary = summarise(evaluations, TASKS)
    assert summary.filter(pl.col("variant") == "base").group_by("target").len().sort("target").rows() == [
        ("gcd", 5),
        ("sums", 5),
    ]
    assert summary.filter(pl.col("target") == "gcd", pl.col("variant") == "stm")["ti"].to_list() == [0] * 5


def test_a_base_score_of_0_leaves_a_blank_with_a_reason(study):
    summary = summarise(study(("base", None, {**BASE, "gcd": 0}), ("stm", 0, STM_0)), TASKS)
    assert summary["bwt"].to_list() == [None] * 10
    assert score_of(summary, "stm", 0, "gcd", "relative_change") is None
    assert score_of(summary, "stm", 0, "gcd", "ti") == pytest.approx(50)
    assert undefined(summary) == [
        "tiny trained on sums: the base model scores 0 on gcd, so BWT and its relative change are undefined.",
    ]
    assert score_of(summary, "stm", 0, "sums", "bwt_remaining") == pytest.approx(-25)  # of mmlu alone
    assert score_of(summary, "stm", 0, "sums", "bwt_left_out") == "gcd"
    assert undefined(summary)[0] in terminal_table(summary, NONE)

    summary = summarise(study(("base", None, {**BASE, "sums": 0}), ("stm", 0, STM_0)), TASKS)
    assert summary["ti"].to_list() == [None] * 10
    assert score_of(summary, "stm", 0, "sums", "bwt") == pytest.approx(-12.5)


def test_mistakes_of_format_are_told_from_wrong_answers(study):
    summary = summarise(study(("base", None, BASE), ("stm", 0, STM_0)), TASKS)
    gcd = summary.filter(pl.col("eval_task") == "gcd", pl.col("variant") == "base").row(0, named=True)
    # of 10 items 5 are right; items 0 and 5 lack the format, and 5 is wrong
    assert (gcd["score"], gcd["wrong_answer"], gcd["format_failure"]) == (0.5, 0.4, 0.1)
    assert score_of(summary, "base", None, "mmlu", "wrong_answer") is None
    printed = terminal_table(summary, NONE)
    assert "Wrong on gcd, in another format than the asked one + in that one: base 10.0 + 40.0 %, stm 10.0" in printed
    assert "Wrong on mmlu" not in printed and "Wrong on text" not in printed


def test_a_run_has_intervals_over_its_items_and_counts_of_those_that_changed(study):
    summary = summarise(study(("base", None, BASE), ("stm", 0, STM_0)), TASKS)
    low, high = (score_of(summary, "stm", 0, "sums", f"score_{end}") for end in ("low", "high"))
    assert 0 < low < 0.6 < high < 1
    assert score_of(summary, "stm", 0, "sums", "gained") == 2
    assert score_of(summary, "stm", 0, "sums", "lost") == 0
    assert score_of(summary, "stm", 0, "text", "lost") is None
    assert score_of(summary, "base", None, "sums", "ti_low") is None
    assert score_of(summary, "stm", 0, "sums", "interval") == "items only, this seed"
    assert score_of(summary, "stm", 0, "sums", "change_low") == score_of(summary, "stm", 0, "gcd", "ti_low")


def test_without_another_accuracy_task_bwt_is_blank(study):
    only = {"sums": 4, "text": 2.0}
    summary = summarise(study(("base", None, only), ("stm", 0, only)), {task: TASKS[task] for task in only})
    assert summary["bwt"].to_list() == [None] * 4
    assert summary["ti"].to_list() == [0] * 4
    assert "BWT is blank" in terminal_table(summary, NONE)


@pytest.mark.parametrize("lacking", ["base", "stm"])
def test_a_missing_task_is_refused(study, lacking):
    less = {task: value for task, value in BASE.items() if task != "gcd"}
    evaluations = study(
        ("base", None, less if lacking == "base" else BASE), ("stm", 0, less if lacking == "stm" else BASE)
    )
    with pytest.raises(UserError, match=rf"{lacking}\..*parquet: no rows of task gcd"):
        summarise(evaluations, TASKS)


def test_unpaired_items_are_refused(study):
    rows = list(rows_of(STM_0))
    for changed in rows[:4]:  # two items, two filters
        changed["doc_hash"] += "-other"
    evaluations = study(("base", None, BASE), ("stm", 0, rows))
    with pytest.raises(UserError, match=r"task gcd: 2 items only in .*base\.None.* and 2 only in .*stm\.0"):
        summarise(evaluations, TASKS)
    evaluations = study(("base", None, BASE), ("stm", 0, list(rows_of(STM_0))[2:]))
    with pytest.raises(UserError, match=r"1 items only in .* and 0 only in"):
        summarise(evaluations, TASKS)


def test_a_blank_score_is_refused(study):
    for blank in (None, math.nan):
        rows = list(rows_of(STM_0))
        rows[0]["score"] = blank
        with pytest.raises(UserError, match="task gcd: 1 of 10 rows lack a finite score"):
            summarise(study(("base", None, BASE), ("stm", 0, rows)), TASKS)


def test_other_mistakes_are_named(study, tmp_path):
    with pytest.raises(UserError, match="nothing to compare"):
        summarise(study(("base", None, BASE)), TASKS)
    with pytest.raises(UserError, match="model tiny: no evaluation of the base"):
        summarise(study(("stm", 0, BASE)), TASKS)
    with pytest.raises(UserError, match="task chat, which is not among"):
        summarise(
            study(("base", None, BASE), ("stm", 0, BASE)), {task: TASKS[task] for task in TASKS if task != "chat"}
        )
    with pytest.raises(UserError, match="task mmlu has no metric f1, only acc, acc_norm"):
        summarise(study(("base", None, BASE), ("stm", 0, BASE)), {**TASKS, "mmlu": {**TASKS["mmlu"], "metric": "f1"}})
    write_table(tmp_path / "x.parquet", [], contracts.MASKS, {})
    wrong = {"path": tmp_path / "x.parquet", "model": "tiny", "target": None, "variant": "base", "seed": None}
    with pytest.raises(UserError, match="holds MASKS"):
        summarise([wrong, *study(("stm", 0, BASE))], TASKS)


def test_harness_filters_are_taken_in_their_order(study):
    rows = [
        row("gsm8k", "gsm8k", i, "exact_match", f, f == "strict-match")
        for i in range(4)
        for f in ("flexible-extract", "strict-match")
    ]
    sums = list(rows_of({"sums": 5}))
    tasks = {"sums": ACCURACY, "gsm8k": {"evaluate": "lm_eval", "metric": None, "filter": None}}
    summary = summarise(study(("base", None, rows + sums), ("stm", 0, rows + sums)), tasks)
    assert summary.filter(pl.col("eval_task") == "gsm8k").select("metric", "score").row(0) == (
        "exact_match,strict-match",
        1,
    )
    tasks["gsm8k"]["filter"] = "flexible-extract"
    summary = summarise(study(("base", None, rows + sums), ("stm", 0, rows + sums)), tasks)
    assert summary.filter(pl.col("eval_task") == "gsm8k").select("metric", "score").row(0) == (
        "exact_match,flexible-extract",
        0,
    )


def test_tables_are_aligned_plain_text(study):
    made = tables(study(("base", None, BASE), ("stm", 0, STM_0), ("stm", 1, STM_1)), TASKS)
    summary, text = made.summary, terminal_table(made.summary, made.comparisons)
    assert text.isascii() and all(c == "\n" or c.isprintable() for c in text)
    lines = text.splitlines()[2:6]
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split("  ")[0] == "variant"
    [line] = [line.split() for line in lines if line.startswith("stm")]
    [limits] = summary.filter(pl.col("seed") == 0).select("ti_low", "ti_high", "bwt_low", "bwt_high").unique().rows()
    ti_low, ti_high, bwt_low, bwt_high = (f"{limit:+.1f}" for limit in limits)
    assert line == [
        *("stm", "2", "0.550", "0.450", "0.438"),
        *("+37.50", f"[{ti_low},", f"{ti_high}]", "-11.25", f"[{bwt_low},", f"{bwt_high}]", "0.368", "0.607"),
    ]
    assert "[...]: 95 % intervals over items and seeds." in text
    one, other = (compared_in(made.comparisons, "stm", "base", name)["detectable_holm"] for name in ("TI", "BWT"))
    assert f"corrected for the study's comparisons: a TI of {one:.0f} % and a BWT of {other:.0f} %." in text
    assert "Smallest change" not in terminal_table(summary, NONE)
    assert "| stm " in markdown_table(summary, made.comparisons)
    latex = latex_table(summary, made.comparisons).splitlines()
    assert [line.split(" & ")[0].split()[0] for line in latex if line.endswith("\\\\")] == ["variant", "base", "stm"]
    assert len({line.count("&") for line in latex if line.endswith("\\\\")}) == 1
    free = [line for line in latex if line and not line.endswith("\\\\") and not line.startswith(("%", "\\"))]
    assert not free, "a note outside of a comment would be typeset in the middle of a paper"
    (table,) = result_tables(summary, NONE)
    assert (table.accuracy, table.beside) == (["sums", "gcd", "mmlu"], ["text", "chat"])


def test_a_choice_counts_by_its_metric_and_samples_by_the_share_that_is_right(study):
    def rows(right, better):
        for i in range(4):
            for metric, score in (("acc", i < right), ("acc_norm", i < better), ("margin", i - 2.5)):
                yield row("sums", "", i, metric, "none", score)
            for reading, share in (("lenient", 0.75), ("strict", 0.5)):
                yield row("gcd", "", i, "accuracy", reading, share * (right > 1), format_ok=i > 0)
                yield row("gcd", "", i, "pass@2", reading, 1)

    runs = study(("base", None, list(rows(2, 1))), ("stm", 0, list(rows(3, 4))))
    for metric, change in (("acc", 50), ("acc_norm", 300)):
        tasks = {"sums": {"evaluate": "choice", "metric": metric, "filter": "none"}, "gcd": ACCURACY}
        summary = summarise(runs, tasks)
        assert score_of(summary, "stm", 0, "sums", "metric") == metric
        assert score_of(summary, "stm", 0, "sums", "role") == "target"
        assert score_of(summary, "stm", 0, "sums", "ti") == pytest.approx(change)
        assert score_of(summary, "stm", 0, "sums", "format_ok") is None
        assert score_of(summary, "base", None, "gcd") == 0.75
        assert score_of(summary, "base", None, "gcd", "format_ok") == 0.75
        assert score_of(summary, "stm", 0, "gcd", "n_items") == 4


def test_a_target_may_be_tested_on_another_task_which_then_counts_as_no_other(study):
    tasks = {**TASKS, "gcd": {**ACCURACY, "tests": ["adding"]}}
    evaluations = study(("base", None, BASE), ("stm", 1, STM_1))
    evaluations[1]["target"] = "adding"
    summary = summarise(evaluations, tasks)
    assert summary["role"].to_list()[:5] == ["target", "ood", "ood", "likelihood", "drift"]
    assert score_of(summary, "stm", 1, "sums", "ti") == pytest.approx(-20)  # of gcd
    assert score_of(summary, "stm", 1, "sums", "bwt") == pytest.approx((25 + 0) / 2)
    evaluations[1]["target"] = "sums"  # for which gcd is a task like others
    assert summarise(evaluations, tasks)["role"].to_list()[:3] == ["ood", "target", "ood"]

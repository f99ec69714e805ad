"""The paragraph and the choice: made from the tables, in plain words, with intervals."""

import polars as pl
import pytest
from test_figures import summary
from test_frontier import with_limits

from clearminds.files.summary import BASE, COMPARISONS
from clearminds.report.result_table import result_tables
from clearminds.report.story import NAMED, story
from clearminds.stages.reporting.advice import advice
from clearminds.stages.reporting.words import rules, said, thresholds

RUNS = ((BASE, None, 0.0, 0.0), ("stm", 0, 5.0, -1.0), ("truth", 0, 8.0, -30.0))
LIMITS = {"stm": (1.0, 9.0, -3.0, 1.0), "truth": (2.0, 14.0, -40.0, -20.0)}


def measured(*runs, **limits):
    frame = summary(*runs, targets=("sums",)).with_columns(
        role=pl.when(pl.col("eval_task") == "sums").then(pl.lit("target")).otherwise("role"),
        score=pl.lit(0.5),
        interval=pl.when(pl.col("variant") != BASE).then(pl.lit("items only, this seed")),
    )
    return with_limits(frame, **limits)


def compared(**verdicts):
    """Comparisons of variants with the base: variant to its verdicts on TI and BWT."""
    rows = [
        {"model": "tiny", "target": "sums", "variant": variant, "other": BASE, "measure": role.upper(), "role": role}
        | {"verdict": verdict, "detectable": 1.0, "detectable_holm": 4.0 if role == "ti" else 9.0 + n}
        for n, (variant, pair) in enumerate(verdicts.items())
        for role, verdict in zip(("ti", "bwt"), pair, strict=True)
    ]
    return pl.DataFrame(rows, schema=COMPARISONS)


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def told(frame, comparisons, trained=160, elsewhere=(), items=None):
    [table] = result_tables(frame, comparisons)
    own = {row.variant for row in table.rows} - {BASE, *elsewhere}
    return " ".join(story(table, items or {"sums": 72, "gcd": 48}, comparisons, trained, own))


def test_it_says_what_was_asked_and_what_came_out_with_intervals():
    pairs = compared(stm=("better", "no difference shown"), truth=("better", "worse"))
    assert plain(told(measured(*RUNS, **LIMITS), pairs)) == (
        "To see what fine-tuning tiny on sums gains there and loses elsewhere, "
        "2 variants were trained on 160 examples, with one seed, each measured on 72 items of sums and 48 of gcd. "
        "TI, on sums: stm and truth are better than the base; "
        "the largest is that of truth: TI +8.0 % [+2.0, +14.0] and BWT -30.0 % [-40.0, -20.0]. "
        "BWT, on the other tasks: truth is worse than the base; no difference from the base is shown for stm; "
        "the largest is that of stm: TI +5.0 % [+1.0, +9.0] and BWT -1.0 % [-3.0, +1.0]; "
        "the smallest is that of truth: TI +8.0 % [+2.0, +14.0] and BWT -30.0 % [-40.0, -20.0]. "
        "These verdicts are corrected for the study's comparisons; the smallest true change that they find four times "
        "out of five is at best a TI of 4.0 % and a BWT of 9.0 %."
    )


def test_a_number_stays_on_one_line_with_its_measure():
    text = told(measured(*RUNS, **LIMITS), COMPARISONS.to_frame())
    assert "BWT\N{NO-BREAK SPACE}-1.0\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}[-3.0, +1.0]" in text


def test_a_target_measured_by_likelihood_has_its_change_in_the_place_of_ti():
    frame = measured(*((v, s, None, bwt) for v, s, _, bwt in RUNS), **LIMITS).with_columns(
        role=pl.when(pl.col("eval_task") == "sums").then(pl.lit("likelihood")).otherwise("role")
    )
    pairs = compared(stm=("better", "no difference shown"), truth=("worse", "worse"))
    own = pl.col("role") == "ti"
    values = {"stm": 3.0, "truth": -2.0}
    pairs = pairs.with_columns(
        measure=pl.when(own).then(pl.lit("sums")).otherwise("measure"),
        role=pl.when(own).then(pl.lit("likelihood")).otherwise("role"),
        difference=pl.when(own).then(pl.col("variant").replace_strict(values)),
        low=pl.when(own).then(-4.0),
        high=pl.when(own).then(5.0),
    )
    text = told(frame, pairs)
    text = plain(text)
    assert "Change of likelihood, on sums: stm is better than the base; truth is worse than the base; " in text
    assert "the largest is that of stm: change of likelihood +3.0 % [-4.0, +5.0] and BWT -1.0 %" in text
    assert "undefined" not in text and "TI" not in text and "a change of likelihood of 4.0 % and a BWT of 9.0 %" in text


def test_a_base_score_of_0_leaves_a_bwt_over_the_other_tasks():
    frame = measured(*((v, s, ti, None) for v, s, ti, _ in RUNS))
    pairs = compared(stm=("better", "no difference shown"), truth=("better", "worse"))
    left = pl.col("role") == "bwt"
    pairs = pairs.with_columns(
        measure=pl.when(left).then(pl.lit("BWT without lcm")).otherwise("measure"),
        difference=pl.when(left).then(pl.when(pl.col("variant") == "stm").then(-1.0).otherwise(-9.0)),
        low=pl.when(left).then(-12.0),
        high=pl.when(left).then(2.0),
    )
    text = told(frame, pairs)
    text = plain(text)
    assert (
        "BWT is undefined: the notes below the results say why; BWT without lcm, over the tasks that are left: " in text
    )
    assert "tasks that are left: truth is worse than the base; no diff" in text
    assert "the largest is that of stm: TI +5.0 % and BWT without lcm -1.0 % [-12.0, +2.0]" in text
    assert text.count("undefined") == 1
    nothing = told(frame, pairs.filter(~left))
    assert "BWT is undefined: the notes below" in nothing and "without" not in nothing


def test_variants_of_equal_numbers_share_their_place():
    """Equal but for noise of floating point: 0.1 + 0.2 is more than 0.3."""
    runs = ((BASE, None, 0.0, 0.0), ("a", 0, 75.0, 0.1 + 0.2), ("b", 0, 75.0 + 1e-12, 0.3), ("c", 0, 1.0, 0.3))
    text = told(measured(*runs, a=(60.0, 90.0, -1.0, 1.0)), COMPARISONS.to_frame())
    text = plain(text)
    assert (
        "the largest is shared by a with TI +75.0 % [+60.0, +90.0] and BWT +0.3 % [-1.0, +1.0] and b with TI " in text
    )
    assert "BWT, on the other tasks: it is the same for all: a with" in text and "smallest" not in text
    many = ((BASE, None, 0.0, 0.0), *((name, 0, 1.0, -2.0) for name in "abcdef"), ("g", 0, 0.0, -3.0))
    text = plain(told(measured(*many), COMPARISONS.to_frame()))
    assert "the largest is shared by a with TI +1.0 % and BWT -2.0 %, b with" in text and "and 3 others;" in text
    assert "the smallest is that of g: TI +0.0 % and BWT -3.0 %." in text


def test_of_one_variant_nothing_is_the_largest():
    text = told(measured(*RUNS[:2], **LIMITS), COMPARISONS.to_frame())
    assert plain(text).endswith("stm comes to TI +5.0 % [+1.0, +9.0] and BWT -1.0 % [-3.0, +1.0].")
    assert "largest" not in text


def test_what_others_trained_is_not_said_to_be_trained_here():
    text = told(measured(*RUNS), COMPARISONS.to_frame(), elsewhere=("truth",))
    assert "one variant was trained" in text and "1 more, trained elsewhere, is measured beside." in text


def test_seeds_are_those_of_the_table_and_one_item_is_one():
    runs = (*RUNS, ("stm", 1, 5.0, -1.0), ("stm", 2, 5.0, -1.0))
    text = told(measured(*runs), COMPARISONS.to_frame(), 1, items={"sums": 1, "gcd": 1})
    assert (
        "2 variants were trained on 1 example, with 1 to 3 seeds, each measured on 1 item of sums and 1 of gcd." in text
    )
    text = told(measured(*runs[:2], *runs[3:]), COMPARISONS.to_frame())
    assert "one variant was trained on 160 examples, with 3 seeds, each" in text


def test_where_nothing_is_trained_here_it_is_said():
    text = told(measured(*RUNS), COMPARISONS.to_frame(), elsewhere=("stm", "truth"))
    assert (
        "2 variants, trained elsewhere, are measured on 72 items of sums and 48 of gcd." in text and "seed" not in text
    )


def test_a_bwt_of_other_tasks_says_nothing_of_what_bwt_finds():
    pairs = compared(stm=("better", "worse")).with_columns(measure=pl.lit("BWT without gcd"))
    assert "the smallest true change" not in told(measured(*RUNS), pairs)


def test_without_comparisons_or_intervals_it_says_less_and_guesses_nothing():
    text = told(measured(*RUNS[:2]), COMPARISONS.to_frame(), None)
    assert "one variant was trained, with one seed" in text and "[" not in text and "corrected" not in text
    undefined = told(measured(RUNS[0], ("stm", 0, None, None)), COMPARISONS.to_frame())
    assert "TI is undefined: the notes" in undefined and "BWT is undefined" in undefined
    assert "the largest" not in undefined and "None" not in undefined


def test_many_variants_are_counted():
    names = [f"v{n}" for n in range(NAMED + 1)]
    runs = [RUNS[0], *((name, 0, 1.0, -1.0) for name in names)]
    text = told(measured(*runs), compared(**dict.fromkeys(names, ("too few items to tell", "worse"))))
    assert f"there are too few items to tell for {len(names)} variants" in text


def test_the_choice_is_that_of_make_best_with_its_runner_up():
    pairs = compared(stm=("better", "no difference shown"), truth=("better", "worse"))
    assert advice(measured(*RUNS, **LIMITS), COMPARISONS.to_frame()) == []
    [one] = advice(measured(*RUNS, **LIMITS), pairs)
    assert (one.variant, one.other) == ("stm", "truth")
    assert plain(one.runner_up) == (
        "No other variant passes. Of those that do not, truth has the largest TI: TI +8.0 % [+2.0, +14.0] and BWT "
        "-30.0 % [-40.0, -20.0]."
    )
    said = "with 2 % nothing, 10 % stm (TI +5.0 % [+1.0, +9.0] and BWT -1.0 % [-3.0, +1.0]) and 20 % stm ("
    assert plain(one.others).startswith(f"Of other losses the rule would choose: {said}")
    [alone] = advice(measured(*RUNS[:2], **LIMITS), pairs)
    assert (alone.variant, alone.other, alone.runner_up) == ("stm", None, "")
    kept = {**LIMITS, "truth": (2.0, 14.0, -4.0, 1.0)}
    [one] = advice(measured(*RUNS, **kept), pairs)
    assert (one.variant, one.other) == ("truth", "stm") and "TI +8.00 %" in one.why


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            {"responses": "reference", "weights": {"rule": "all"}, "training": {}},
            "Trained on the references; loss: mean over every token.",
        ),
        (
            {"responses": "mine", "weights": {"rule": "perplexity", "tau": "2.5"}},
            "Trained on the model's own answers (mine); loss: mean over tokens of perplexity up to 2.5.",
        ),
        (
            {"responses": "reference", "weights": {"rule": "all"}, "loss": {"rule": "dft"}, "targets": ["a", "b"]},
            "Trained on the references; loss: mean over every token; each of them times the model's own probability of "
            "it (DFT); targets: a, b.",
        ),
    ],
)
def test_a_variant_is_said_in_words(keys, words):
    assert said({"v": keys, "given": {"path": "x"}}, {"mine": {"kind": "self_output"}}, {}) == {"v": words}


def test_a_normaliser_of_all_variants_is_said_of_each():
    keys = {"responses": "reference", "weights": {"rule": "all"}}
    shared = said({"v": keys}, {}, {"normaliser": "all"})
    assert shared == said({"v": {**keys, "training": {"normaliser": "all"}}}, {}, {}) | {"v": shared["v"]}
    assert shared != said({"v": keys}, {}, {})


def test_a_threshold_that_the_data_chose_is_said_with_its_value():
    keys = {"responses": "reference", "weights": {"rule": "perplexity", "tau": "auto"}}
    fitted = {("tiny", "sums", "v"): 2.5401, ("tiny", "code", "v"): 22.7719, ("tiny", "code", "w"): 3.0}
    [words] = said({"v": keys}, {}, {}, fitted).values()
    assert "tokens of perplexity up to a tau chosen by the data (2.54 for sums, 22.8 for code)." in words
    [words] = said({"w": keys}, {}, {}, fitted).values()
    assert "up to a tau chosen by the data (3)." in words
    [words] = said({"v": keys}, {}, {}).values()
    assert "up to a tau chosen by the data." in words


def test_rules_are_said_with_three_digits():
    masks = [{"variant": "v", "model": "tiny", "target": "sums"}]
    soft = {"rule": "soft", "temperature": 2.904947280883789}
    [row] = rules(masks, [{"masks": {"fitted": soft}, "spec": {"weights": soft}}])
    assert row["words"] == "every token, weighted by exp(-loss / 2.9)"
    tau = {"masks": {"fitted": {"rule": "perplexity", "tau": "22.7719"}}}
    assert thresholds(masks, [tau]) == {("tiny", "sums", "v"): 22.7719} and thresholds(masks, [{"masks": {}}]) == {}

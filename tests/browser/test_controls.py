"""What moves in the report: its numbers are those of the study's tables."""

import math

import polars as pl
import pytest

from clearminds.files.layout import Layout

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TARGET, MODEL = "colours", "tiny"
AT_A_TIME = 25  # flipped items, of which a button shows more


@pytest.fixture
def found(visit, own_report):
    return visit()


@pytest.fixture
def layout(own_report):
    return Layout.of(own_report.parent.name, own_report.parents[2])


def scores(layout, source):
    path = layout.scores.path(scorer=MODEL, model=MODEL, task=TARGET, split="train", source=source)
    return pl.read_parquet(path).with_columns(loss=-pl.col("logprob").cast(pl.Float64))


def kept(rows, tau):
    """How many tokens a threshold keeps. Args: rows of token scores; its text on the page."""
    limit = math.inf if tau == "no limit" else math.log(float(tau))
    return rows.filter(pl.col("loss") <= limit).height


def examples(page):
    return page.eval_on_selector_all("#example option", "all => all.map((one) => [one.value, one.textContent])")


def rules(page, kind):
    values = page.eval_on_selector_all("#rule option", "all => all.map((one) => [one.value, one.textContent])")
    return [(value, text) for value, text in values if value.startswith(kind)]


def test_the_slider_counts_what_polars_counts(found, layout):
    page = found.page
    places = int(page.get_attribute("#tau", "max"))
    assert places > 20 and len(examples(page)) > 2
    seen = set()
    for value, name in examples(page)[::3]:
        page.select_option("#example", value)
        for rule, text in rules(page, "source:"):
            page.select_option("#rule", rule)
            rows = scores(layout, text.rpartition(": ")[2])
            own = rows.filter(pl.col("example_id") == name)
            assert page.locator("#response .token").count() == own.height
            for place in {*range(0, places, 7), places - 1, places}:
                found.set_slider("#tau", place)
                tau = page.inner_text("#tau-value")
                numbers = [found.count(f"#tau-{what}") for what in ("kept", "masked", "kept-all", "masked-all")]
                mine, all_of_it = kept(own, tau), kept(rows, tau)
                assert numbers == [mine, own.height - mine, all_of_it, rows.height - all_of_it], (name, text, tau)
                assert page.locator("#response .token.masked").count() == own.height - mine
                assert page.get_attribute("#tau", "aria-valuetext") == tau
                seen.add(numbers[0])
    assert len(seen) > 5, "the slider moves something"


def test_every_variant_can_be_chosen_and_counts_as_its_mask(found, layout):
    page = found.page
    for value, name in examples(page)[:3]:
        page.select_option("#example", value)
        variants = rules(page, "variant:")
        assert variants
        for rule, text in variants:
            page.select_option("#rule", rule)
            mask = layout.masks.path(model=MODEL, target=TARGET, variant=text.removeprefix("by "), draw="")
            row = pl.read_parquet(mask).filter(pl.col("example_id") == name).row(0, named=True)
            assert found.count("#tau-kept") == row["n_kept"], (name, text)
            assert found.count("#tau-masked") == row["n_response"] - row["n_kept"]


ANOTHER_TARGET = """() => {
  const [first] = data.groups;
  const turned = (one) => ({ ...one, weights: one.weights.toReversed() });
  data.groups.push({ ...first, variants: first.variants.toReversed(), shown: first.shown.map(turned) });
  const option = document.createElement("option");
  option.value = "1:0";
  byId("example").append(option);
}"""


def test_a_chosen_variant_stays_chosen_where_another_target_lists_them_otherwise(found):
    page = found.page
    page.evaluate(ANOTHER_TARGET)
    value, text = rules(page, "variant:")[0]
    page.select_option("#rule", value)
    counted = found.count("#tau-kept")
    page.select_option("#example", "1:0")
    assert page.locator("#rule option:checked").inner_text() == text
    assert found.count("#tau-kept") == counted
    assert rules(page, "variant:")[-1] == (value, text), "and the page's list is the other target's"


def test_a_token_tells_its_numbers_to_pointers_and_keys(found):
    page = found.page
    token = page.locator("#response .token").nth(2)
    token.hover()
    assert f"perplexity {token.get_attribute('data-ppl')} " in page.inner_text("#token-says")
    page.focus("#response")
    page.keyboard.press("End")
    last = page.locator("#response .token").last
    assert f"perplexity {last.get_attribute('data-ppl')} " in page.inner_text("#token-says")
    page.keyboard.press("ArrowLeft")
    before = page.locator("#response .token").nth(-2)
    assert f"perplexity {before.get_attribute('data-ppl')} " in page.inner_text("#token-says")
    assert page.get_attribute("#token-says", "aria-live") == "polite"


def test_a_mark_of_the_frontier_tells_its_numbers_to_pointers_and_keys(found):
    page = found.page
    marks = page.locator("#frontier .drawing [aria-roledescription='point']")
    assert marks.count() >= 3
    assert not page.is_visible("#tip")
    for reach in ("hover", "focus"):
        mark = marks.nth(0 if reach == "hover" else 1)
        mark.hover(force=True) if reach == "hover" else mark.focus()
        assert page.is_visible("#tip")
        told = page.inner_text("#tip")
        assert told and any(digit in told for digit in "0123456789")
        page.mouse.move(0, 0)
        page.locator("h1").click()
    assert not page.is_visible("#tip")


def flipped(layout, summary):
    """Lost and gained items of each variant's first seed and task, from the result table."""
    first = summary.filter(pl.col("seed") == 0).drop_nulls("lost")
    return {
        (v, t): (lost, gained) for v, t, lost, gained in first.select("variant", "eval_task", "lost", "gained").rows()
    }


def test_flipped_items_are_those_of_the_tables_and_filters_work(found, layout):
    page = found.page
    expected = flipped(layout, pl.read_parquet(layout.summary.path()))
    assert sum(lost + gained for lost, gained in expected.values()) > 3
    assert any(lost for lost, _ in expected.values()) and any(gained for _, gained in expected.values())
    shown = all_flips(page)
    counted = {key: [0, 0] for key in expected}
    for one in shown:
        counted[one["variant"], one["task"]][one["way"] == "gained"] += 1
    assert {key: tuple(value) for key, value in counted.items()} == expected, "so few that all of them are shown"
    for variant in ["all", *{one["variant"] for one in shown}]:
        for task in ["all", *{one["task"] for one in shown}]:
            for way in ("both", "lost", "gained"):
                page.select_option("#flip-variant", label=variant)
                page.select_option("#flip-task", label=task)
                page.select_option("#flip-way", label=way)
                wanted = [o for o in shown if variant in ("all", o["variant"]) and task in ("all", o["task"])]
                wanted = [o for o in wanted if way in ("both", o["way"])]
                drawn = min(len(wanted), AT_A_TIME)
                assert page.locator("article.flip").count() == drawn
                assert page.inner_text("#flip-count") == f"{drawn} of {len(wanted)} items"
                assert page.is_visible("#flip-more") == (len(wanted) > AT_A_TIME)


def all_flips(page):
    """What every flipped item of the page is of."""
    while page.is_visible("#flip-more"):
        page.click("#flip-more")
    return page.eval_on_selector_all("article.flip", "all => all.map((one) => ({...one.dataset}))")


def test_a_score_leads_to_its_flipped_items_and_a_variant_to_its_tokens(found):
    page = found.page
    link = page.locator("#results ~ .scroll tbody td a").first
    row = link.locator("xpath=ancestor::tr")
    variant = row.locator("th").inner_text()
    link.click()
    of = page.eval_on_selector_all("article.flip", "all => all.map((one) => one.dataset.variant)")
    assert of and set(of) == {variant} and page.locator("#flip-variant option:checked").inner_text() == variant
    assert page.locator("#flip-task option:checked").inner_text() != "all"
    row.locator("th a").click()
    assert page.locator("#rule option:checked").inner_text() == f"by {variant}"


def test_comparisons_are_those_of_the_table_by_measure_and_variant(found, layout):
    page = found.page
    table = pl.read_parquet(layout.comparisons.path())
    claims = table.filter(pl.col("other") == "base", pl.col("role").is_in(["ti", "bwt"]))
    rows = page.locator(".compared tr")
    assert rows.count() == claims.height > 0
    page.select_option("#compare-measure", label="colours")
    assert rows.count() == table.filter(pl.col("other") == "base", pl.col("measure") == "colours").height
    page.select_option("#compare-other", label="every other variant")
    page.select_option("#compare-variant", label="truth")
    pairs = table.filter(pl.col("other") != "base", pl.col("measure") == "colours")
    pairs = pairs.filter((pl.col("variant") == "truth") | (pl.col("other") == "truth"))
    assert rows.count() == pairs.height > 0
    assert page.inner_text("#compare-count") == f"{pairs.height} comparisons"
    page.select_option("#compare-measure", label="all")
    page.select_option("#compare-variant", label="all")
    assert rows.count() == table.filter(pl.col("other") != "base").height


def test_two_answers_stand_side_by_side_with_their_differences_marked(found):
    page = found.page
    flips = page.locator("article.flip")
    assert flips.locator(".right mark").count() > 0 and flips.locator(".wrong mark").count() > 0
    answers = flips.first.locator(".answers > div")
    left, right = (answers.nth(n).bounding_box() for n in (0, 1))
    assert answers.count() == 2 and abs(left["y"] - right["y"]) < 2 and left["x"] < right["x"]

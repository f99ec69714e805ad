"""The report as a browser shows it: whole, quiet, harmless, and usable by anybody on any screen and on paper."""

from itertools import pairwise

import pytest

from tests.browser import axe
from tests.browser.chromium import PHONE, WIDE, file_name, sections
from tests.browser.study import HOSTILE, SCRIPT

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SECTIONS = ["summary", "choice", "frontier", "comparisons", "surprise", "tokens", "flips", "cost", "provenance"]
SIZES = pytest.mark.parametrize("width", [WIDE, PHONE], ids=["wide", "phone"])
COLOURS = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


# of each text with marks that turn the order of characters: the box that those cannot reach out of
TURNED = r"""all => all
  .filter((one) => !["SCRIPT", "OPTION"].includes(one.tagName))
  .filter((one) => [...one.childNodes].some((own) => own.nodeType === 3 && /[\u202e\u2067]/.test(own.data)))
  .map((one) => {
    while (!/isolate|plaintext/.test(getComputedStyle(one).unicodeBidi)) one = one.parentElement;
    return one.tagName.toLowerCase() + (one.id ? "#" + one.id : "");
  })"""
# boxes that hold more than they show
CUT = """all => all
  .filter((one) => one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1)
  .map((one) => [one, getComputedStyle(one)])
  .filter(([, style]) => style.overflowX !== "visible" && style.display !== "inline")
  .map(([one]) => `${one.tagName}.${one.className}: ${one.scrollWidth} of ${one.clientWidth}`)"""


def used(found):
    """Use everything that can be chosen or moved."""
    for select in found.page.locator("select:visible").all():
        for value in select.locator("option").evaluate_all("all => all.map((one) => one.value)")[:6]:
            select.select_option(value)
    for slider in found.page.locator("input[type=range]").all():
        for key in ("Home", "ArrowRight", "End", "PageDown"):
            slider.press(key)
    for details in found.page.locator("details > summary").all():
        details.click()


@COLOURS
def test_nothing_is_asked_of_the_network_and_nothing_goes_wrong(visit, dark):
    found = visit(dark=dark)
    used(found)
    assert (found.requests, found.errors, found.dialogs) == ([], [], [])


def test_every_section_is_there_under_a_heading_and_linked(visit):
    page = visit().page
    there = sections(page)
    assert [name for name in there if name in SECTIONS] == SECTIONS
    for name in there:
        section = page.locator(f"#{name}")
        assert section.is_visible() and section.locator("h2").count() == 1, name
        assert len(section.inner_text()) > 40, name
    targets = page.eval_on_selector_all("nav a", "all => all.map((one) => one.getAttribute('href'))")
    assert targets and {f"#{name}" for name in there} <= set(targets)
    assert all(page.locator(target).count() == 1 for target in targets)
    levels = page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map((one) => Number(one.tagName[1]))")
    assert levels[0] == 1 and all(after <= before + 1 for before, after in pairwise(levels))


def test_the_text_of_models_and_data_is_shown_and_never_run(visit, own_report):
    found = visit()
    used(found)
    page = found.page
    assert found.dialogs == []
    assert page.locator("img, iframe, object, embed, link, base, form").count() == 0
    assert page.locator("script").count() == 4, "the page's own: its data and what moves them"
    handlers = (
        "all => all.flatMap((one) => [...one.attributes].map((own) => own.name).filter((name) => /^on/.test(name)))"
    )
    assert page.eval_on_selector_all("*", handlers) == []
    written = page.locator("main").evaluate("main => main.textContent")
    for value in page.locator("#example option").evaluate_all("all => all.map((one) => one.value)"):
        page.select_option("#example", value)
        written += page.locator("#tokens").evaluate("section => section.textContent")
    for select in page.locator("select[id^=flip]:visible").all():
        select.select_option("")  # all items, of which some are hostile
    while page.is_visible("#flip-more"):
        page.click("#flip-more")
    assert [text for text in HOSTILE if text not in written] == []
    assert page.get_by_text(SCRIPT).count() > 0 and found.dialogs == []


def test_marks_that_turn_text_around_stay_within_their_own_box(visit, own_report):
    page = visit().page
    boxes = page.eval_on_selector_all("body *", TURNED)
    assert boxes and set(boxes) <= {"pre", "bdi", "div#response"}, "no words of the page are in it"


@SIZES
@COLOURS
def test_axe_finds_no_serious_fault(visit, axe_core, width, dark):
    page = visit(width=width, dark=dark, bypass_csp=True).page
    assert axe.faults(page, axe_core) == []


@pytest.mark.parametrize("width", [WIDE, 768, PHONE, 320])
def test_the_page_never_scrolls_sideways(visit, width):
    assert visit(width=width).overflow() == []


def test_everything_is_on_paper(visit):
    found = visit(width=720)  # an A4 page within its margins
    page = found.page
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert all(page.locator(f"#{name}").is_visible() for name in sections(page))
    assert page.eval_on_selector_all("main *", CUT) == [] == found.overflow(), "paper does not scroll"
    closed = page.locator("details:not([open]) > :not(summary)")
    assert all(one.is_visible() for one in closed.all()[:5]), "what is folded up is printed"
    assert page.pdf(format="A4")[:4] == b"%PDF"


def test_without_scripts_all_is_there_but_what_moves(visit):
    page = visit(java_script_enabled=False).page
    assert page.locator("noscript").count() > 0
    for name in SECTIONS:
        assert page.locator(f"#{name}").is_visible(), name
    assert page.locator("#response .token").count() > 0
    assert page.locator("#tau-kept").inner_text().replace(",", "").isdigit()


def test_the_keyboard_reaches_the_content_and_every_control(visit):
    page = visit().page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main", "the first stop skips what repeats"
    controls = page.locator("select:visible, input:visible").all()
    reached, wanted = set(), {one.get_attribute("id") for one in controls}
    assert len(wanted) > 5
    for _ in range(600):
        page.keyboard.press("Tab")
        one = page.evaluate("document.activeElement.id")
        reached.add(one)
        if wanted <= reached:
            break
    assert wanted <= reached


@SIZES
@COLOURS
def test_pictures_of_every_section(visit, screenshots, width, dark):
    page = visit(width=width, dark=dark).page
    for name in sections(page):
        picture = screenshots / f"{width}-{'dark' if dark else 'light'}-{file_name(name)}.png"
        page.locator(f"#{name}").screenshot(path=picture)
        assert picture.stat().st_size > 0

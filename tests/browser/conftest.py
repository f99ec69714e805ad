"""A browser for the session, and the report of one study that all tests open.

CLEARMINDS_REPORT=FILE opens that report instead; tests of what the study's own texts do are then skipped.
CLEARMINDS_SCREENSHOTS=FOLDER keeps a picture of every section there; else they are in pytest's temporary folder.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tiny import tiny_model_folder

from tests.browser import axe
from tests.browser.chromium import Opened, opened, started, why_not
from tests.browser.study import STUDY, study
from tests.workflow.conftest import Workflow, once

SCREENSHOTS = pytest.StashKey[Path]()


@pytest.fixture(scope="session")
def browser() -> Browser:
    """Headless Chromium."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    with started() as running:
        yield running


@pytest.fixture(scope="session")
def report(browser, tmp_path_factory) -> Path:
    """The page, in the results of its study. Asks for the browser first: without one nothing is run."""
    if given := os.environ.get("CLEARMINDS_REPORT"):
        return Path(given)

    def make(folder: Path) -> None:
        done = Workflow(folder, study(folder, tiny_model_folder(folder / "model"))).run()
        assert done.returncode == 0, done.stdout[-6000:]

    return once(tmp_path_factory, "browser", make) / "results" / STUDY / "report.html"


@pytest.fixture(scope="session")
def own_report(report) -> Path:
    """The same, of the tests' own study."""
    if report.parent.name != STUDY:
        pytest.skip("this is of the tests' own study, and CLEARMINDS_REPORT names another")
    return report


@pytest.fixture
def visit(browser, report):
    """Opens the report, or another file; closes it at the end."""
    pages: list[Opened] = []

    def open_it(file: Path | None = None, **options) -> Opened:
        pages.append(opened(browser, file or report, **options))
        return pages[-1]

    yield open_it
    for one in pages:
        one.page.context.close()


@pytest.fixture(scope="session")
def axe_core() -> str:
    """The text of axe-core's script."""
    text, reason = axe.script()
    if not text:
        pytest.skip(reason)
    return text


@pytest.fixture(scope="session")
def screenshots(request, tmp_path_factory) -> Path:
    """The folder of pictures, which the end of the session names."""
    named = os.environ.get("CLEARMINDS_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    request.config.stash[SCREENSHOTS] = folder
    return folder


def pytest_terminal_summary(terminalreporter, config):
    if folder := config.stash.get(SCREENSHOTS, None):
        terminalreporter.write_line(f"screenshots of the report's sections: {folder}")

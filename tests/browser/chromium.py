"""Headless Chromium of the system, driven by Playwright, and what a page did in it: requests and errors."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDE, PHONE = 1400, 390  # pixels


def program() -> str | None:
    """The path of Chromium, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def why_not() -> str | None:
    """Why no browser can be started here; None where one can. Installs Chromium where that is allowed and missing."""
    if program():
        return None
    if os.environ.get("CLEARMINDS_BROWSER") != "1" or os.geteuid() != 0:
        return "Chromium is not installed; as root on Debian `make test-browser` installs it"
    if not shutil.which("apt-get"):
        return "Chromium is not installed, and this is not a Debian to install it from"
    install = "apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["sh", "-c", install], capture_output=True, text=True, env=environment)
    return f"Chromium could not be installed: {done.stderr[-300:]}" if done.returncode else None


@contextmanager
def started() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Opened:
    """A page, and what it did since it was opened.

    Attributes:
        page: Playwright's.
        requests: URLs that it asked for, without its own.
        errors: of the console and of scripts.
        dialogs: what `alert` and the like said.
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def count(self, selector: str) -> int:
        """The number that an element shows, as 1,234."""
        return int(self.page.inner_text(selector).replace(",", ""))

    def set_slider(self, selector: str, place: int) -> None:
        """Move a slider as an arrow key would."""
        self.page.locator(selector).evaluate(
            "(slider, place) => { slider.value = place; slider.dispatchEvent(new Event('input', {bubbles: true})); }",
            place,
        )

    def overflow(self) -> list[str]:
        """What makes the page itself scroll sideways: elements beyond its width that no box scrolls or cuts."""
        return self.page.evaluate(WIDER)


# elements whose right edge is beyond the page and that no box between them and the page scrolls or cuts
WIDER = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const boxed = (one) => {
    for (let box = one.parentElement; box && box !== document.body; box = box.parentElement)
      if (getComputedStyle(box).overflowX !== "visible") return true;
    return false;
  };
  const named = (one) => one.tagName.toLowerCase() + (one.id ? "#" + one.id : "") + "." + one.getAttribute("class");
  const wide = [...document.body.querySelectorAll("*")].filter((one) => one.getBoundingClientRect().right > width + 1);
  return [`page: ${document.documentElement.scrollWidth} of ${width}`, ...wide.filter((one) => !boxed(one)).map(named)];
}"""


def opened(browser: Browser, file: Path, width: int = WIDE, dark: bool = False, **options: object) -> Opened:
    """Open a file in a profile of its own.

    Args:
        browser: of `started`.
        file: of the page.
        width: of the window, in pixels.
        dark: whether the reader prefers dark colours.
        options: of Playwright's `new_context`.
    """
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", **options
    )
    page = context.new_page()
    found, own = Opened(page), file.absolute().as_uri()
    page.on("request", lambda request: found.requests.append(request.url) if request.url != own else None)
    page.on("pageerror", lambda error: found.errors.append(str(error)))
    page.on("console", lambda said: found.errors.append(said.text) if said.type in ("error", "warning") else None)
    page.on("dialog", lambda dialog: (found.dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(own)
    return found


def sections(page: Page) -> list[str]:
    """The ids of the page's sections."""
    return page.eval_on_selector_all("main > section[id]", "all => all.map((one) => one.id)")


def file_name(text: str) -> str:
    """A name for a screenshot."""
    return re.sub(r"\W+", "-", text)

"""axe-core, which finds what people with a screen reader or weak eyes would stumble over; fetched once by npm."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from playwright.sync_api import Page

VERSION = "4.14.1"
GRAVE = ("serious", "critical")


def script() -> tuple[str, str]:
    """The script's text, or nothing and why it is not to be had."""
    cache = (
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clearminds-tests" / f"axe-core-{VERSION}"
    )
    file = cache / "axe.min.js"
    if not file.is_file():
        if not shutil.which("npm"):
            return "", "axe-core is fetched by npm, which is not installed"
        cache.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", f"axe-core@{VERSION}", "--silent", "--pack-destination", str(cache)]
        done = subprocess.run(command, cwd=cache, capture_output=True, text=True)
        if done.returncode:
            return "", f"npm cannot fetch axe-core: {done.stderr.strip()[-200:]}"
        with tarfile.open(cache / f"axe-core-{VERSION}.tgz") as packed:
            member = packed.extractfile("package/axe.min.js")
            assert member is not None
            (cache / "axe.tmp").write_bytes(member.read())
        (cache / "axe.tmp").replace(file)  # whole or not there
    return file.read_text(encoding="utf-8"), ""


def faults(page: Page, axe: str) -> list[str]:
    """Serious and critical faults of a page: the rule, what it asks for, and where.

    Args:
        page: opened with `bypass_csp`, as its policy lets no other script run.
        axe: of `script`.
    """
    page.evaluate(axe)
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{fault['id']} ({fault['impact']}): {fault['help']}: {node['html'][:200]} {node.get('failureSummary', '')}"
        for fault in found["violations"]
        if fault["impact"] in GRAVE
        for node in fault["nodes"][:5]
    ]

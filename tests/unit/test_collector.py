"""What the garbage collector is left to do in launchers and in Snakemake."""

import subprocess
import sys

from clearminds.checkout import LAUNCHERS, SNAKEFILE, WORKFLOW
from clearminds.collector import FULL_AFTER

SHOW = "atexit.register(lambda: print(gc.get_freeze_count() > 0))"


def said(script: str) -> list[str]:
    command = [
        sys.executable,
        "-c",
        f"import atexit, gc, sys; sys.path[:0] = [{str(LAUNCHERS)!r}, {str(WORKFLOW)!r}]\n{script}",
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]


def test_a_launcher_searches_all_objects_rarely_and_short_lived_ones_as_ever():
    before, after = said("print(gc.get_threshold()); import _setup; print(gc.get_threshold())")
    assert after == before.replace(", 10)", f", {FULL_AFTER})") != before


def test_nothing_is_searched_at_the_end_and_all_that_libraries_do_then_comes_before():
    # what is registered first runs last
    assert said(f"{SHOW}; import _setup; {SHOW}") == ["False", "True"]


def test_snakemake_searches_less_before_the_study_is_read():
    lines = SNAKEFILE.read_text(encoding="utf-8").splitlines()
    assert lines.index("collect_less()") < lines.index("from clearminds.config.load import load_study")

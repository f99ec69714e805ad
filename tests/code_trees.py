"""Invented checkouts, for tests of what is made of a checkout's code."""

from pathlib import Path

from clearminds.reuse.definitions import Tree


def tree_of(folder: Path, **modules: str) -> Tree:
    """A checkout with modules of the package, by their paths below it."""
    for name, text in modules.items():
        file = folder / "clearminds" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return Tree(folder)


KEY = "clearminds.work:main"
REPORTING_ONLY = {"clearminds.talk", "clearminds.near:report"}
FILES = {
    "work": '''
"""The root."""
import json
import logging

import numpy as np

from clearminds import far, near, talk
from clearminds.near import LIMIT, Base, report
from clearminds.passing import twice as double

log = logging.getLogger("clearminds")
SCALE = 2
unused = 3


class Worker(Base):
    """What works."""

    factor: int = SCALE

    def run(self, x: int) -> int:
        log.info("running %s", x)
        return double(x) * self.factor


def main(x: int) -> str:
    if x > LIMIT:
        raise ValueError(f"{x} is too large")
    report(x)
    talk.say(x)
    found = Worker().run(np.abs(x)) + far.store(x, near.shift)
    return json.dumps([shift for shift in (found, _tail(found))])


def _tail(x):
    from clearminds.end import last

    return last(x)
''',
    "near": """
from clearminds import end, far

LIMIT = 10


class Base:
    def run(self, x):
        return 0


@far.cached
def shift(x, by=far.STEP):
    return x + by


def report(x):
    print(x)


def other(x):
    return x
""",
    "passing": "from clearminds.deep.sums import twice\n",
    "deep/sums": """
from clearminds import end


def twice(x):
    return sum(end.last(x) for last in range(2))
""",
    "far": """
import os

from clearminds.end import last as other

os.environ["A"] = "1"
STEP = 1
CACHE = {}
SECOND = {}


def cached(f):
    return f


def store(x, f):
    if x not in CACHE:
        CACHE[x] = f(x)
    return CACHE[x]


def forget(x):
    SECOND.pop(x)
""",
    "end": """
def last(x):
    return even(x) if x else 0


def even(x):
    return True if x == 0 else odd(x - 1)


def odd(x):
    return False if x == 0 else even(x - 1)
""",
    "talk": "from clearminds.end import even\n\n\ndef say(x):\n    print(x, even(x))\n",
}


def checkout(folder: Path, **files: str) -> Tree:
    """The checkout with some files in place of its own."""
    overlay = {folder / "clearminds" / f"{name}.py": text for name, text in {**FILES, **files}.items() if text}
    return Tree(folder, overlay)


def edited(folder: Path, *edits: tuple[str, str, str]) -> Tree:
    """The checkout after edits. Args: file, what it says, and what it is to say; "" stands for the file's end."""
    files = dict(FILES)
    for name, before, after in edits:
        assert before in files.setdefault(name, "")
        files[name] = files[name].replace(before, after) if before else files[name] + after
    return checkout(folder, **files)

"""The programs of tests/hostile: their headers, and their sources with what an attacker is told of the outside."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from clearminds.sandbox.programs import Trial

FOLDER = Path(__file__).parent / "hostile"
KINDS = (
    "disk",
    "environment",
    "files",
    "keyring",
    "memory",
    "network",
    "parent",
    "processes",
    "shared memory",
    "signals",
    "sockets",
    "tests",
)
VERDICTS = ("correct", "incorrect", "timeout")
HEADER = re.compile(
    r"# Tries:     (?P<tries>.+)\n"
    r"# Tests:     (?P<tests>.+\n(?:#            .+\n)*)"
    r"# Verdict:   (?P<verdict>.+)\n"
    r"# Unchanged: (?P<unchanged>.+)\n"
    r"(?P<unboxed># Unboxed:   passes\n)?(?!#)"
)


@dataclass(frozen=True)
class Hostile:
    """A program and what its header says.

    Attributes:
        name: of its file.
        source: all of it.
        tests: the source of the tests that it faces.
        verdicts: those that it may get.
        unchanged: what must be the same outside afterwards, of `KINDS`.
        unboxed: whether it passes where program and tests run in one process without a sandbox.
    """

    name: str
    source: str
    tests: str
    verdicts: tuple[str, ...]
    unchanged: tuple[str, ...]
    unboxed: bool

    def trial(self, told: dict[str, object], secret: str) -> Trial:
        """What the sandbox is given. Args: told: what the program knows of the outside, by name; secret: not this."""
        known = f"{', '.join(told)} = {', '.join(map(repr, told.values()))}\n"
        assert secret not in known
        return Trial(known + self.source, re.sub(r"\bSECRET\b", lambda _: repr(secret), self.tests))


def read(file: Path) -> Hostile:
    """A program with its header.

    Raises:
        ValueError: the header is not as tests/hostile/README.md has it.
    """
    source = file.read_text(encoding="utf-8")
    found = HEADER.match(source)
    if not found:
        raise ValueError(f"{file}: its header is not as tests/hostile/README.md has it")
    tests = found["tests"].replace("\n#            ", "\n")
    verdicts, unchanged = (tuple(re.split(", | or ", found[key])) for key in ("verdict", "unchanged"))
    if wrong := [word for word in verdicts if word not in VERDICTS] + [word for word in unchanged if word not in KINDS]:
        raise ValueError(f"{file}: its header says {', '.join(wrong)}")
    ast.parse(tests)
    return Hostile(file.stem, source, tests, verdicts, unchanged, bool(found["unboxed"]))


PROGRAMS = [read(file) for file in sorted(FOLDER.glob("*.py"))]

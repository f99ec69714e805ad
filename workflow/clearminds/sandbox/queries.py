"""Runs SQL queries on SQLite databases, each in a sandbox of its own, and compares what they give.

    with Sandbox() as sandbox:
        [result] = run_queries(sandbox, [Query(Path("zoo.sqlite"), predicted="SELECT 1.0", gold="SELECT 1")])

Two queries agree when they give the same rows as often: as many columns, in the same order, under any names. The order
of the rows counts where the gold query has an ORDER BY of its own (not only a part of it); rows that tie in it have
the order in which SQLite finds them. BIRD's and Spider 1's own measure compares *sets* of rows, to which a query
that repeats rows a thousand times is right; so does none of the two look at the order. What is right here is right
there, not always the other way round.

Numbers agree by value (1 and 1.0), to 12 digits, because the order of additions changes the last ones; NULL agrees
with NULL; a text agrees with no number, and letter by letter.
"""

import re
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearminds.errors import UserError
from clearminds.sandbox.inside.frames import BadMessage, Closed
from clearminds.sandbox.isolation import SandboxError
from clearminds.sandbox.programs import Result, Sandbox

INSIDE = Path("/database")  # where the sandbox shows it
# what may hold words that are no part of the query, and the brackets around what is not its own level
PIECE = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|/\*.*?(?:\*/|\Z)|[()]|\border\s+by\b""",
    re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True)
class Query:
    """A query to judge.

    Attributes:
        database: an SQLite file; it is only read.
        predicted: the query of a model.
        gold: the query that is right.
        name: what errors call it.
    """

    database: Path
    predicted: str
    gold: str
    name: str = "query"


def run_queries(sandbox: Sandbox, queries: Sequence[Query]) -> list[Result]:
    """Whether the predicted queries give what the gold ones give, in their order.

    A query that is to run more than once on a database runs once.

    Args:
        sandbox: gives isolation, limits and workers. Of CPU time each query has its limit for itself.
        queries: to judge.

    Raises:
        UserError: a database is missing or is none, or a gold query fails or is too slow: errors of the data.
        SandboxError: the sandbox broke.
    """
    for query in queries:
        if not query.database.is_file():
            raise UserError(
                f"{query.name}: {query.database}: there is no such database; fetch the data set's databases, or "
                "correct the path"
            )
    asked = list(dict.fromkeys((q.database, sql) for q in queries for sql in (q.gold, q.predicted)))
    outcomes = dict(zip(asked, sandbox.map(lambda one: _outcome(sandbox, *one), asked), strict=True))
    return [
        _result(query, outcomes[query.database, query.gold], outcomes[query.database, query.predicted], sandbox)
        for query in queries
    ]


def ordered(sql: str) -> bool:
    """Whether a query has an ORDER BY at its top level, which orders its result."""
    depth = 0
    for piece in PIECE.finditer(sql):
        depth += {"(": 1, ")": -1}.get(piece.group(), 0)
        if depth == 0 and piece.group()[0] in "oO":
            return True
    return False


def read_only(database: Path) -> str:
    """The URI by which SQLite opens a file that nobody writes to."""
    return f"{database.resolve().as_uri()}?mode=ro&immutable=1"


def _result(query: Query, gold: list, predicted: list, sandbox: Sandbox) -> Result:
    for kind, detail in (gold[:2], predicted[:2]):
        if kind == "unusable":
            raise UserError(f"{query.name}: {query.database}: not an SQLite database that can be read ({detail})")
    limit = f"longer than {sandbox.limits.cpu_seconds:g} s of CPU time"
    if gold[0] != "rows":
        why = f"ran {limit}" if gold[0] == "slow" else f"failed ({gold[1]})"
        raise UserError(f"{query.name}: the gold query {why} on {query.database}; correct it, or leave the row out")
    if predicted[0] == "slow":
        return Result("timeout", predicted[1] or limit)
    if predicted[0] == "failed":
        return Result("incorrect", predicted[1])
    for place, what in ((1, "columns"), (2, "rows")):
        if predicted[place] != gold[place]:
            return Result("incorrect", f"{what}: {predicted[place]}, expected {gold[place]}")
    if predicted[4] != gold[4]:
        return Result("incorrect", "other rows than expected")
    if ordered(query.gold) and predicted[3] != gold[3]:
        return Result("incorrect", "the rows are in another order")
    return Result("correct", f"rows: {gold[2]}")


def _outcome(sandbox: Sandbox, database: Path, sql: str) -> list:
    """What `inside.query.answer` says, `["unusable", why]` of a database, or why there was no answer."""
    limits = sandbox.limits
    process = sandbox.start("query", shown={database: str(INSIDE)})
    watch = threading.Timer(limits.wall_seconds, process.kill)
    watch.start()
    outcome: Any = None
    ready = False
    began = time.monotonic()
    try:
        process.channel.send(
            [
                read_only(database if sandbox.isolation == "rlimits" else INSIDE),
                limits.memory_mb * 2**19,
                limits.cpu_seconds,
            ]
        )
        outcome = process.channel.receive()
        if ready := outcome == ["ready"]:
            process.channel.send(sql)
            outcome = process.channel.receive()
    except (Closed, BadMessage):
        outcome = None
    watch.cancel()
    took = time.monotonic() - began
    status = process.ended(0.5)
    sandbox.end(process)
    if _is_outcome(outcome, ready):
        return outcome
    if ready and took >= limits.wall_seconds:
        return ["slow", f"longer than {limits.wall_seconds:g} s"]
    if ready and status in (-signal.SIGXCPU, 128 + signal.SIGXCPU):
        return ["slow", ""]
    if ready and status not in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return ["failed", f"its process died (status {status})"]
    raise SandboxError(f"the sandbox broke: the process of a query ended with status {status}: {process.said()}")


def _is_outcome(said: Any, ready: bool) -> bool:
    """Whether this is what such a process says; one that SQL has taken over could send anything."""
    types = {"rows": [str, int, int, str, str], "failed": [str, str], "slow": [str, str]}
    if not ready:
        types = {"unusable": [str, str]}
    known = isinstance(said, list) and bool(said) and [*map(type, said)] == types.get(str(said[0]))
    return known and all(part.isprintable() for part in said if isinstance(part, str))

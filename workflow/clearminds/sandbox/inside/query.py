"""The process of one SQL query: opens a database read-only, runs the query, and says what its rows are.

Only SELECT and what it reads is permitted, and SQLite's own limits bound a value, a query and the memory of both.
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
import sys
import time

from clearminds.sandbox.inside.confine import confine, connection
from clearminds.sandbox.inside.frames import Channel, Closed

TYPE_CHECKING = False  # importing `typing` would take longer than most queries
if TYPE_CHECKING:
    from typing import Any

MOST_ROWS = 10**6
MOST_BYTES = 2**24  # of one text or blob
SIGNIFICANT = 12  # digits of a number that must agree, and at least three decimals
_STEPS = 10_000  # of SQLite's machine between two looks at the clock
_PERMITTED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
_FORBIDDEN_FUNCTIONS = {"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"}
_LIMITS = {
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LENGTH: MOST_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 10**5,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}


def opened(uri: str, memory_bytes: int) -> sqlite3.Connection:
    """A connection to a database that can only be read.

    Args:
        uri: of the file; with `?mode=ro&immutable=1`, which needs no lock, journal or write-ahead log, so that neither
            the file nor its folder is written to.
        memory_bytes: most that SQLite may hold.

    Raises:
        sqlite3.Error: it is no database.
    """
    database = sqlite3.connect(uri, uri=True, isolation_level=None)
    database.execute("SELECT count(*) FROM sqlite_master").fetchone()  # SQLite reads the file when it must
    database.text_factory = lambda text: text.decode(errors="surrogateescape")
    for statement in ("temp_store = MEMORY", "trusted_schema = OFF", f"hard_heap_limit = {memory_bytes}"):
        database.execute(f"PRAGMA {statement}").fetchall()
    for kind, most in _LIMITS.items():
        database.setlimit(kind, most)
    return database


def answer(database: sqlite3.Connection, sql: str, cpu_seconds: float) -> list:
    """What a query gives.

    Args:
        database: of `opened`.
        sql: the query, hostile.
        cpu_seconds: most CPU time of this process until its end.

    Returns:
        `["rows", columns, rows, ordered, unordered]`, where the last two are digests of its rows in their order and
        regardless of it; `["failed", why]`; or `["slow", ""]`.
    """
    slow = False

    def watch() -> bool:
        nonlocal slow
        slow = time.process_time() > cpu_seconds
        return slow

    database.set_progress_handler(watch, _STEPS)
    database.set_authorizer(_permitted)
    rows: list[bytes] = []
    ordered = hashlib.sha256()
    try:
        found = database.execute(sql)
        if found.description is None:
            return ["failed", "it is no query"]
        for row in found:
            if len(rows) == MOST_ROWS:
                return ["failed", f"it gives more than {MOST_ROWS} rows"]
            digest = hashlib.sha256(repr([*map(plain, row)]).encode(errors="surrogatepass")).digest()[:16]
            rows.append(digest)
            ordered.update(digest)
        unordered = hashlib.sha256(b"".join(sorted(rows)))
    except Exception as error:  # whatever SQLite and its interface say of hostile text
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
        return ["slow", ""] if slow else ["failed", "".join(c if c.isprintable() else "?" for c in said)]
    return ["rows", len(found.description), len(rows), ordered.hexdigest(), unordered.hexdigest()]


def plain(value: Any) -> Any:
    """A value of SQLite's, so that equal ones are the same: 1.0 as 1, and a float without its last digits."""
    if not isinstance(value, float) or not math.isfinite(value) or value == 0:
        return 0 if value == 0 else value
    rounded = round(value, max(SIGNIFICANT - 1 - math.floor(math.log10(abs(value))), 3))
    return int(rounded) if rounded.is_integer() else rounded


def _permitted(action: int, first: str | None, second: str | None, *_: object) -> int:
    function = action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _FORBIDDEN_FUNCTIONS
    return sqlite3.SQLITE_OK if function or action in _PERMITTED else sqlite3.SQLITE_DENY


def main() -> None:
    """Called by the host with the settings of `confine` as the only argument; says `["ready"]` before it reads SQL."""
    settings = json.loads(sys.argv[1])
    channel = Channel(connection())
    work: Any = channel.receive()
    uri, memory_bytes, cpu_seconds = work
    # opened before it becomes another user, who may not be allowed to
    try:
        database = opened(uri, memory_bytes)
    except sqlite3.Error as error:
        channel.send(["unusable", str(error)])
        return
    confine(settings)
    channel.send(["ready"])
    try:
        sql: Any = channel.receive()
    except Closed:
        return
    channel.send(answer(database, sql, cpu_seconds))

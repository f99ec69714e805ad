"""Verifier: the response's SQL query gives the rows that the example's answer gives, on the example's database.

Both run read-only in a sandbox; `sandbox.queries` says when their rows agree.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from clearminds.errors import UserError
from clearminds.plugins.fenced import fenced
from clearminds.sandbox.programs import Sandbox
from clearminds.sandbox.queries import Query, run_queries

FILTERS = ("lenient", "strict")

HEADER = b"SQLite format 3\0"
STATEMENT = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*+(?:SELECT|WITH|VALUES)\b", re.DOTALL | re.IGNORECASE)
LANGUAGES = {"sql", "sqlite", "sqlite3"}


def check(example: dict) -> None:
    """See that the example's answer is a query, and that its database is there.

    Raises:
        ValueError: one of them is not.
    """
    if not STATEMENT.match(example["answer"]):
        raise ValueError(f"the answer {example['answer'][:80]!r} is no SELECT")
    database = _database(example)
    if not database.is_file():
        raise ValueError(f"{database}: there is no such database; fetch the data set's databases, or correct the path")
    with database.open("rb") as file:
        if file.read(len(HEADER)) != HEADER:
            raise ValueError(f"{database}: not an SQLite database; fetch it again")


def verify_many(asked: Sequence[tuple[str, dict, bool]], sandbox: Sandbox) -> list[tuple[str, str]]:
    """Verdicts and details of many responses, in their order.

    Strict reads the first block that is fenced and marked as SQL (```sql). Lenient reads the first fenced block that is
    a query, or a response that is one.

    Args:
        asked: response, example and whether it is read strictly.
        sandbox: open.

    Raises:
        UserError: an example's database is missing or none, or its answer fails or is too slow on it.
        SandboxError: the sandbox broke.
    """
    read = [_strict(response) if strict else _lenient(response) for response, _, strict in asked]
    pairs = zip(read, asked, strict=True)
    queries = [_query(sql, example) for sql, (_, example, _) in pairs if sql is not None]
    results = iter(run_queries(sandbox, queries))
    verdicts = []
    for sql, (_, _, strict) in zip(read, asked, strict=True):
        if sql is None:
            verdicts.append(("format_error", f"no {'fenced block of SQL' if strict else 'query'} in the response"))
        else:
            result = next(results)
            verdicts.append((result.verdict, result.detail))
    return verdicts


def _query(sql: str, example: dict) -> Query:
    name = f"example {example['example_id']}"
    try:
        return Query(_database(example), sql, example["answer"], name)
    except ValueError as error:
        raise UserError(f"{name}: {error}") from None


def _database(example: dict) -> Path:
    database = json.loads(example["meta"]).get("database")
    if not database:
        raise ValueError("its meta names no database; correct the task's template")
    return Path(database)


def _strict(response: str) -> str | None:
    """The first closed block of SQL."""
    blocks = (code for language, code, closed in fenced(response) if closed and language in LANGUAGES)
    return next((code.strip() for code in blocks if code.strip()), None)


def _lenient(response: str) -> str | None:
    """The first block that is a query, else one of SQL, else the response if it begins with one, up to its end."""
    for _, code, _ in fenced(response):
        if STATEMENT.match(code):
            return code.strip()
    if (sql := _strict(response)) or not STATEMENT.match(response):
        return sql
    return re.split(r"(?<=;)[ \t]*\n|\n\s*\n", response.strip(), maxsplit=1)[0]

"""The tables of an SQLite database as text, for prompts."""

import re
import sqlite3
from pathlib import Path

from clearminds.errors import UserError

# a quoted name or text keeps its blanks; a comment ends with its line, so its line end stays
PIECE = re.compile(
    r"""(?P<kept>'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|/\*.*?\*/|--[^\n]*)|(?P<blank>\s+)""",
    re.DOTALL,
)


def schema(path: str | Path) -> str:
    """The `CREATE TABLE` texts of a database in the order of their making, each ended by a semicolon.

    Runs of blanks are one blank, and each column keeps a line of its own. SQLite's own tables are left out. The file is
    opened read-only and nothing is made beside it.

    Args:
        path: the database file.

    Raises:
        UserError: there is no such file, it is no SQLite database, or it has no tables.
    """
    file = Path(path)
    if not file.is_file():
        raise UserError(f"{file}: there is no such database; fetch the data set's databases, or correct the path")
    try:
        connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            rows = connection.execute(
                "SELECT sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
                "AND sql IS NOT NULL ORDER BY rowid"
            ).fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise UserError(f"{file}: not an SQLite database that can be read ({error}); fetch it again") from None
    if not rows:
        raise UserError(f"{file}: the database has no tables; fetch it again")
    return "\n\n".join(f"{_tidy(sql)};" for (sql,) in rows)


def _tidy(sql: str) -> str:
    """`sql` with one blank where it has several, and what is between the brackets indented by two."""

    def piece(match: re.Match) -> str:
        if match["kept"]:
            return match["kept"].rstrip()
        if "\n" not in match["blank"]:
            return " "
        return "\n" if sql[match.end() :].startswith(")") else "\n  "

    return PIECE.sub(piece, sql.strip().rstrip("; \t\r\n"))

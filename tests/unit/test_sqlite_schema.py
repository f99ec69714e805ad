"""The tables of an SQLite database as text."""

import sqlite3

import pytest

from clearminds.errors import UserError
from clearminds.plugins.sqlite_schema import schema


def database(path, *statements):
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path


def test_tables_stand_in_order_and_are_tidied(tmp_path):
    file = database(
        tmp_path / "a b#1.sqlite",
        """CREATE TABLE zoo
        (
            id    INTEGER   not null
               primary key autoincrement,   -- the  number
            "the  name" TEXT default 'x   y',
            note TEXT /* as   written */
        )""",
        "CREATE TABLE animal (id,   name)",
        "CREATE INDEX names ON animal(name)",
        "CREATE VIEW all_names AS SELECT name FROM animal",
    )
    before = file.read_bytes()
    assert schema(file) == (
        "CREATE TABLE zoo\n  (\n  id INTEGER not null\n  primary key autoincrement, -- the  number\n"
        "  \"the  name\" TEXT default 'x   y',\n  note TEXT /* as   written */\n);\n\nCREATE TABLE animal (id, name);"
    )
    assert file.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["a b#1.sqlite"]


def test_the_text_makes_the_same_tables_again(tmp_path):
    file = database(tmp_path / "a.sqlite", "CREATE TABLE t (a TEXT DEFAULT 'a;  b', -- x\n b)", "CREATE TABLE u (c)")
    connection = sqlite3.connect(":memory:")
    connection.executescript(schema(file))
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("t",), ("u",)]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "there is no such database"), (b"no database " * 100, "not an SQLite database"), (b"", "has no tables")],
)
def test_what_is_no_database_is_named(tmp_path, content, message):
    file = tmp_path / "zoo.sqlite"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        schema(file)
    assert str(caught.value).startswith(f"{file}: ")

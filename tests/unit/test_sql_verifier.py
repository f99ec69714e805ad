"""Verdicts on SQL."""

import json
import shutil
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearminds.errors import UserError
from clearminds.plugins.verifiers import sql
from clearminds.sandbox.programs import Sandbox

ISOLATION = "bubblewrap" if shutil.which("bwrap") else "rlimits"


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    file = tmp_path_factory.mktemp("zoo") / "zoo.sqlite"
    connection = sqlite3.connect(file)
    connection.executescript("CREATE TABLE animal (name, legs); INSERT INTO animal VALUES ('Ada', 6), ('Bo', 4)")
    connection.close()
    return file


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(ISOLATION) as opened:
        yield opened


def example(answer, database, example_id="dev/7"):
    meta = {} if database is None else {"database": str(database)}
    return {"example_id": example_id, "answer": answer, "meta": json.dumps(meta)}


RIGHT = "SELECT name FROM animal WHERE legs > 5"


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("Those with many legs:\n```sql\nSELECT 'Ada'\n```\nThat is it.", ("correct", "correct")),
        ("```SQLite\nSELECT 'Ada';\n```", ("correct", "correct")),
        ("```sql\nSELECT 'Bo'\n```", ("incorrect", "incorrect")),
        ("```sql\nSELECT 'Ada'\n```\nor\n```sql\nSELECT 'Bo'\n```", ("correct", "correct")),
        ("```sql\nADD TO animal\n```", ("incorrect", "incorrect")),
        ("```sql\nSELECT 'Ada'; SELECT 'Ada'\n```", ("incorrect", "incorrect")),
        ("```sql\n\n```", ("format_error", "format_error")),
        ("```\nSELECT 'Ada'\n```", ("correct", "format_error")),
        ("```python\nprint(1)\n```\n```\n-- the query\nSELECT 'Ada'\n```", ("correct", "format_error")),
        ("```sql\nSELECT 'Ada'", ("correct", "format_error")),
        ("SELECT 'Ada'", ("correct", "format_error")),
        ("  with a as (select 'Ada') select * from a", ("correct", "format_error")),
        ("SELECT 'Ada';\n\nIt has six legs.", ("correct", "format_error")),
        ("SELECT 'Ada'\n\nIt has six legs.", ("correct", "format_error")),
        ("SELECT 'Ada'; SELECT 'Ada'", ("incorrect", "format_error")),
        ("Ada", ("format_error", "format_error")),
        ("/**/" * 60 + "Ada", ("format_error", "format_error")),
        ("SELECT \x01\ud800", ("incorrect", "format_error")),
        ("Select carefully.", ("incorrect", "format_error")),
        ("", ("format_error", "format_error")),
    ],
)
def test_fenced_queries_are_read(zoo, sandbox, response, expected):
    row = example(RIGHT, zoo)
    found = sql.verify_many([(response, row, False), (response, row, True)], sandbox)
    assert tuple(verdict for verdict, _ in found) == expected


def test_many_responses_keep_their_places(zoo, sandbox):
    asked = [
        ("none", example(RIGHT, zoo), False),
        ("SELECT 'Ada'", example(RIGHT, zoo), False),
        ("none", example(RIGHT, zoo), True),
        ("SELECT 'Ada'", example("SELECT legs FROM animal", zoo), False),
    ]
    assert sql.verify_many(asked, sandbox) == [
        ("format_error", "no query in the response"),
        ("correct", "rows: 1"),
        ("format_error", "no fenced block of SQL in the response"),
        ("incorrect", "rows: 1, expected 2"),
    ]
    assert sql.verify_many([], sandbox) == []


def test_a_gold_query_that_fails_names_the_example(zoo, sandbox):
    with pytest.raises(UserError, match=r"^example dev/7: the gold query failed"):
        sql.verify_many([("SELECT 1", example("SELECT x FROM animal", zoo), False)], sandbox)
    with pytest.raises(UserError, match=r"^example dev/7: its meta names no database"):
        sql.verify_many([("SELECT 1", example(RIGHT, None), False)], sandbox)
    with pytest.raises(UserError, match=r"^example dev/7: /nowhere: there is no such database"):
        sql.verify_many([("SELECT 1", example(RIGHT, "/nowhere"), False)], sandbox)


def test_what_cannot_be_judged_is_named(zoo, tmp_path):
    sql.check(example(RIGHT, zoo))
    sql.check(example(f"-- the gold\n({RIGHT})", zoo))
    text = tmp_path / "text.sqlite"
    text.write_text("no database")
    for row, message in [
        (example("", zoo), "the answer '' is no SELECT"),
        (example("DROP TABLE animal", zoo), "is no SELECT"),
        (example(RIGHT, None), "names no database"),
        (example(RIGHT, tmp_path / "none.sqlite"), "none.sqlite: there is no such database"),
        (example(RIGHT, text), "text.sqlite: not an SQLite database"),
    ]:
        with pytest.raises(ValueError, match=message):
            sql.check(row)


NO_FENCE = st.text(st.characters(exclude_characters="`~"))


@given(NO_FENCE, NO_FENCE)
def test_the_reference_format_is_always_read(before, query):
    response = f"{before}\n```sql\nSELECT {query}\n```"
    assert sql._strict(response).split() == sql._lenient(response).split() == ["SELECT", *query.split()]

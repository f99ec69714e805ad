"""SQL queries in the sandbox: when two agree, and what a hostile one can do."""

import os
import shutil
import sqlite3
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearminds.errors import UserError
from clearminds.sandbox import queries
from clearminds.sandbox.inside import query
from clearminds.sandbox.inside.query import plain
from clearminds.sandbox.limits import Limits
from clearminds.sandbox.programs import Sandbox
from clearminds.sandbox.queries import Query, ordered, read_only, run_queries

ISOLATION = "bubblewrap" if shutil.which("bwrap") else "rlimits"

ZOO = """
CREATE TABLE animal (name TEXT, kind TEXT, weight REAL, legs INTEGER, born TEXT);
INSERT INTO animal VALUES
  ('Ada', 'bee', 0.1, 6, '2020-01-31'), ('Bo', 'cow', 700, 4, '2019-05-01'), ('Cy', 'cow', 650.5, 4, NULL),
  ('Di', 'eel', NULL, 0, '2021-12-24'), ('Di', 'eel', NULL, 0, '2021-12-24'), ('5', 'ant', 0.2, 6, '2020-01-31');
CREATE TABLE empty (a, b);
CREATE VIEW cow AS SELECT * FROM animal WHERE kind = 'cow';
"""


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """A database that only its owner may read, in a folder that nobody may write to."""
    folder = tmp_path_factory.mktemp("a zoo #1%20?")
    file = folder / "zoo.sqlite"
    connection = sqlite3.connect(file)
    connection.executescript(ZOO)
    connection.close()
    file.chmod(stat.S_IRUSR)
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    return file


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(ISOLATION, limits=Limits(cpu_seconds=1, wall_seconds=20, memory_mb=512)) as opened:
        yield opened


@pytest.fixture
def judge(zoo, sandbox):
    """Judges predicted queries by a gold one."""

    def judge(gold, *predicted):
        results = run_queries(sandbox, [Query(zoo, sql, gold, "row 1") for sql in predicted])
        return [result.verdict for result in results]

    return judge


@pytest.mark.parametrize(
    ("gold", "right", "wrong"),
    [
        pytest.param(
            "SELECT name, legs FROM animal",
            [
                "SELECT name, legs FROM animal ORDER BY weight",
                "select legs_of.name as x, legs y from animal legs_of;",
                "SELECT name, legs * 1.0 FROM animal -- as numbers",
                "WITH a AS (SELECT * FROM animal) SELECT name, legs FROM a",
                "VALUES ('Ada', 6), ('Di', 0), ('Bo', 4), ('Cy', 4), ('5', 6), ('Di', 0)",
            ],
            [
                "SELECT legs, name FROM animal",
                "SELECT DISTINCT name, legs FROM animal",
                "SELECT name FROM animal",
                "SELECT name, legs, legs FROM animal",
                "SELECT name, CAST(legs AS TEXT) FROM animal",
                "SELECT upper(name), legs FROM animal",
                "SELECT name, legs FROM animal WHERE legs > 0 UNION ALL SELECT 'Ada', 6 UNION ALL SELECT 'Ada', 6",
                "SELECT name, legs FROM animal LIMIT 5",
                "SELECT wings FROM animal",
                "It is six.",
                "",
            ],
            id="rows as often as they come, in any order",
        ),
        pytest.param(
            "SELECT name FROM animal WHERE weight IS NOT NULL ORDER BY weight DESC",
            ["SELECT name FROM animal WHERE weight > 0 ORDER BY -weight", "VALUES ('Bo'), ('Cy'), ('5'), ('Ada')"],
            ["SELECT name FROM animal WHERE weight IS NOT NULL ORDER BY weight", "VALUES ('Bo'), ('Cy'), ('Ada'), (5)"],
            id="in the order that is asked for",
        ),
        pytest.param(
            "SELECT name FROM (SELECT name, legs FROM animal ORDER BY legs)",
            ["SELECT name FROM animal"],
            ["SELECT name FROM animal WHERE legs"],
            id="an order within is none",
        ),
        pytest.param(
            "SELECT sum(x) FROM (VALUES (0.1), (0.2), (0.3)) AS t(x)".replace(" AS t(x)", "").replace("x", "column1"),
            ["SELECT 0.6", "SELECT 0.6000000000000001"],
            ["SELECT 0.6000001", "SELECT '0.6'", "SELECT 1", "SELECT NULL"],
            id="floats but for their last digits",
        ),
        pytest.param(
            "SELECT 9007199254740993",
            ["SELECT 9007199254740992 + 1"],
            ["SELECT 9007199254740992", "SELECT 9007199254740992.0", "SELECT '9007199254740993'"],
            id="whole numbers to the last digit",
        ),
        pytest.param(
            "SELECT weight FROM animal WHERE kind = 'eel'",
            ["SELECT NULL FROM animal LIMIT 2"],
            ["SELECT 0 FROM animal LIMIT 2", "SELECT '' FROM animal LIMIT 2", "SELECT NULL"],
            id="NULL is NULL",
        ),
        pytest.param(
            "SELECT a FROM empty",
            ["SELECT name FROM animal WHERE legs > 10"],
            ["SELECT a, b FROM empty", "SELECT count(*) FROM empty", "SELECT NULL"],
            id="nothing",
        ),
        pytest.param(
            "SELECT born FROM animal WHERE name = 'Ada'",
            ["SELECT '2020-01-31'", "SELECT date('2020-02-01', '-1 day')"],
            ["SELECT '2020-1-31'", "SELECT julianday('2020-01-31')", "SELECT x'323032302d30312d3331'"],
            id="dates are texts",
        ),
        pytest.param(
            "SELECT name FROM cow", ["SELECT name FROM animal WHERE legs = 4"], ["SELECT kind FROM cow"], id="views"
        ),
    ],
)
def test_queries_agree_when_their_rows_do(judge, gold, right, wrong):
    assert judge(gold, gold, *right) == ["correct"] * (1 + len(right))
    assert judge(gold, *wrong) == ["incorrect"] * len(wrong)


ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
FORBIDDEN = [
    "SELECT 1; SELECT 1",
    "SELECT 1; DROP TABLE animal",
    "DROP TABLE animal",
    "DELETE FROM animal",
    "INSERT INTO animal (name) VALUES ('x') RETURNING 1",
    "UPDATE animal SET legs = 1 RETURNING legs",
    "CREATE TEMP TABLE x (a)",
    "CREATE TABLE x AS SELECT 1",
    "ATTACH '{folder}/new.sqlite' AS x",
    "ATTACH ':memory:' AS x",
    "VACUUM INTO '{folder}/new.sqlite'",
    "PRAGMA user_version = 5",
    "PRAGMA user_version",
    "PRAGMA hard_heap_limit = 0",
    "SELECT count(*) FROM pragma_database_list",
    "SELECT load_extension('/usr/lib/x86_64-linux-gnu/libm.so.6')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('{folder}/new', 'x')",
    "BEGIN EXCLUSIVE",
    "SAVEPOINT x",
    "EXPLAIN SELECT 1",
    "SELECT zeroblob(1000000000)",
    "SELECT length(randomblob(1000000000))",
    f"SELECT {', '.join(['zeroblob(10000000)'] * 100)}",
    f"SELECT {'(' * 5000}1{')' * 5000}",
    f"SELECT 1 {'+ 0' * 50000}",
    " UNION ".join(["SELECT 1"] * 5000),
    "SELECT 1 \x00",
    "SELECT '\ud800'",
]
# for each, CPU time or memory may run out first
COSTLY = [
    f"{ENDLESS} SELECT zeroblob(10000000) FROM c ORDER BY randomblob(10)",
    f"{ENDLESS} SELECT group_concat(hex(zeroblob(1000000))) FROM c",
    f"{ENDLESS} SELECT 1 FROM c LIMIT 2000000",
    "SELECT length(printf('%.*c', 2000000000, 'x') || printf('%.*c', 2000000000, 'x')) > 0",
]
SLOW = [
    f"{ENDLESS} SELECT count(*) FROM c",
    f"{ENDLESS} SELECT x FROM c ORDER BY -x",
    f"SELECT count(*) > 0 FROM {', '.join(f'animal a{n}' for n in range(20))}",
    # one step of SQLite's machine, between which it looks at no clock
    "SELECT instr(hex(zeroblob(8000000)), hex(zeroblob(4000000)) || '1') = 0",
]


def untouched(zoo):
    """What must be as before: the file's bytes and times, and what is beside it."""
    return zoo.read_bytes(), os.stat(zoo).st_mtime_ns, [file.name for file in zoo.parent.iterdir()]


@pytest.mark.slow
def test_what_is_forbidden_is_never_right_and_leaves_nothing(judge, zoo):
    before = untouched(zoo)
    hostile = [sql.replace("{folder}", str(zoo.parent)) for sql in FORBIDDEN]
    assert judge("SELECT 1", "SELECT 1", *hostile, "SELECT 1.0") == [
        "correct",
        *["incorrect"] * len(hostile),
        "correct",
    ]
    assert untouched(zoo) == before


@pytest.mark.slow
def test_an_endless_query_is_ended_and_delays_no_other(judge):
    assert judge("SELECT 1", SLOW[0], "SELECT 1", SLOW[-1]) == ["timeout", "correct", "timeout"]


@pytest.mark.slow
def test_costly_queries_are_never_right_and_leave_nothing(judge, zoo):
    before = untouched(zoo)
    verdicts = judge("SELECT 1", "SELECT 1", *SLOW, *COSTLY, "SELECT 1.0")
    assert verdicts[0] == verdicts[-1] == "correct"
    assert verdicts[1 : 1 + len(SLOW)] == ["timeout"] * len(SLOW)
    assert set(verdicts[1 + len(SLOW) : -1]) <= {"incorrect", "timeout"}
    assert untouched(zoo) == before


@pytest.mark.slow
def test_a_query_that_only_waits_is_ended_too(zoo):
    slow_clock = Limits(cpu_seconds=60, wall_seconds=2)
    with Sandbox(ISOLATION, limits=slow_clock) as opened:
        [result] = run_queries(opened, [Query(zoo, SLOW[0], "SELECT 1")])
    assert (result.verdict, result.detail) == ("timeout", "longer than 2 s")


def test_more_rows_than_anyone_reads_are_no_result(zoo, monkeypatch):
    monkeypatch.setattr(query, "MOST_ROWS", 5)
    database = query.opened(read_only(zoo), 2**24)
    assert query.answer(database, "SELECT 1 FROM animal", 60) == ["failed", "it gives more than 5 rows"]
    assert query.answer(database, "SELECT 1 FROM animal LIMIT 5", 60)[:3] == ["rows", 1, 5]


def test_memory_is_limited(zoo):
    database = query.opened(read_only(zoo), 2**22)
    assert query.answer(database, "SELECT hex(zeroblob(5000000))", 60)[0] == "failed"


def test_a_write_ahead_log_is_not_needed(tmp_path, sandbox):
    file = tmp_path / "wal.sqlite"
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.executescript(ZOO)
    connection.close()
    assert [found.name for found in tmp_path.iterdir()] == ["wal.sqlite"]
    counted = Query(file, "SELECT 6", "SELECT count(*) FROM animal")
    assert run_queries(sandbox, [counted])[0].verdict == "correct"
    assert [found.name for found in tmp_path.iterdir()] == ["wal.sqlite"]


@pytest.mark.parametrize(
    ("said", "ready", "known"),
    [
        (["rows", 1, 2, "a", "b"], True, True),
        (["failed", "why"], True, True),
        (["unusable", "why"], False, True),
        (["rows", 1, 2, "a", "b"], False, False),
        (["rows", True, 2, "a", "b"], True, False),
        (["rows", 1, 2, "a"], True, False),
        (["failed", "\ud800"], True, False),
        (["correct", ""], True, False),
        ([["rows"]], True, False),
        ([], True, False),
        (None, True, False),
        ({"rows": 1}, True, False),
    ],
)
def test_a_process_that_sql_took_over_can_say_nothing_new(said, ready, known):
    assert queries._is_outcome(said, ready) is known


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        (
            "SELECT wings FROM animal",
            r"row 7: the gold query failed \(OperationalError: no such column: wings\) on ",
        ),
        ("DELETE FROM animal", "row 7: the gold query failed .*not authorized"),
        (f"{ENDLESS} SELECT count(*) FROM c", "row 7: the gold query ran longer than 1 s of CPU time on "),
    ],
)
def test_a_gold_query_that_fails_is_an_error_of_the_data(zoo, sandbox, gold, message):
    with pytest.raises(UserError, match=message):
        run_queries(sandbox, [Query(zoo, "SELECT 1", "SELECT 1", "row 6"), Query(zoo, "SELECT 1", gold, "row 7")])


@pytest.mark.parametrize(
    ("content", "message"), [(None, "there is no such database"), (b"no database" * 100, "not an SQLite database")]
)
def test_a_missing_database_is_named(tmp_path, sandbox, content, message):
    file = tmp_path / "zoo.sqlite"
    if content:
        file.write_bytes(content)
    with pytest.raises(UserError, match=f"^row 3: {file}: {message}"):
        run_queries(sandbox, [Query(file, "SELECT 1", "SELECT 1", "row 3")])


def test_results_come_in_the_order_of_their_queries(judge):
    wanted = ["correct" if number == 7 else "incorrect" for number in range(12)]
    assert judge("SELECT 7", *[f"SELECT {number}" for number in range(12)]) == wanted


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_root_judges_by_another_users_database(tmp_path, sandbox):
    file = tmp_path / "zoo.sqlite"
    connection = sqlite3.connect(file)
    connection.executescript(ZOO)
    connection.close()
    file.chmod(stat.S_IRUSR)
    os.chown(file, 12345, 12345)
    assert run_queries(sandbox, [Query(file, "SELECT 6", "SELECT count(*) FROM animal")])[0].verdict == "correct"


@pytest.mark.parametrize("isolation", sorted({ISOLATION, "rlimits"}))
def test_every_isolation_gives_the_same_verdicts(zoo, isolation):
    asked = [Query(zoo, sql, "SELECT max(legs) FROM animal") for sql in ("SELECT 6", "SELECT 5", "ATTACH '' AS x")]
    with Sandbox(isolation, limits=Limits(cpu_seconds=1, wall_seconds=20, memory_mb=512)) as opened:
        verdicts = [result.verdict for result in run_queries(opened, asked)]
    assert verdicts == ["correct", "incorrect", "incorrect"]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT a FROM t ORDER BY a", True),
        ("select a from t order\n  by a limit 1", True),
        ("SELECT a FROM t UNION SELECT b FROM u ORDER BY 1", True),
        ("WITH x AS (SELECT a FROM t) SELECT a FROM x ORDER BY a", True),
        ("SELECT a FROM (SELECT a FROM t ORDER BY a)", False),
        ("SELECT row_number() OVER (ORDER BY a) FROM t", False),
        ("SELECT 'x ORDER BY y' FROM t", False),
        ('SELECT "a ORDER BY", [order by], `order by` FROM t -- ORDER BY a\n/* ORDER BY a */', False),
        ("SELECT '(' FROM t ORDER BY a", True),
        ("SELECT 'it''s (' FROM t ORDER BY a", True),
        ("SELECT border FROM t", False),
        ("", False),
    ],
)
def test_only_an_order_of_the_whole_query_counts(sql, expected):
    assert ordered(sql) is expected


@given(st.floats(allow_nan=False) | st.integers(-(2**63), 2**63 - 1))
def test_a_number_keeps_its_value_but_for_last_digits(number):
    near = plain(number)
    assert near == number or abs(near - number) <= abs(number) * 1e-11
    assert plain(near) == near


@given(st.integers(-(2**53), 2**53))
def test_a_whole_float_is_the_whole_number(number):
    assert repr(plain(float(number))) == repr(plain(number)) == str(number)

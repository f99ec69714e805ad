"""`template:` of a task: what it reads of a row, what it makes of it, and how bad rows and templates are named."""

import json
import re
import sqlite3

import pytest
from demo_study import study_with

from clearminds.commands.tasks import make_database
from clearminds.errors import UserError
from clearminds.plugins.task_kinds import file
from clearminds.plugins.task_kinds.rows import examples
from clearminds.plugins.task_kinds.templates import Template

CHOICES = {"prompt": "{{ q }}", "choices": "c", "gold": "g"}


def made(template: dict, *records: dict, **spec: object) -> list[dict]:
    named = ((f"row {number}", record) for number, record in enumerate(records))
    return examples("data", named, {"template": template, **spec}, "test")


def test_texts_are_rendered_from_columns():
    template = {
        "prompt": "{{ q }}?",
        "response": "{{ a }}",
        "answer": "{{ a | upper }}",
        "tests": "assert {{ a }}",
        "setup": "import {{ m }}",
        "entry_point": "{{ a }}",
        "origin": "o/{{ i }}",
        "id": "{{ i }}",
    }
    [row] = made(template, {"q": "Why", "a": "so", "m": "re", "i": 7})
    meta = {"tests": "assert so", "setup": "import re", "entry_point": "so", "origin": "o/7"}
    assert {**row, "meta": json.loads(row["meta"])} == {
        "example_id": "test-7",
        "messages": [{"role": "user", "content": "Why?"}],
        "reference": "so",
        "answer": "SO",
        "meta": meta,
    }


def test_what_some_rows_lack_is_left_out_and_what_none_may_lack_is_refused():
    template = {"prompt": "{{ q }}", "tests": "{{ t }}", "setup": "{{ s }}", "origin": "{{ o }}", "id": "{{ o }}"}
    rows = made(template, {"q": "x", "t": "1", "s": " ", "o": ""}, {"q": "y", "t": "2", "s": "z", "o": "k"})
    assert [row["example_id"] for row in rows] == ["test-00000", "test-k"]
    assert [json.loads(row["meta"]) for row in rows] == [{"tests": "1"}, {"tests": "2", "setup": "z", "origin": "k"}]
    for part in ("q", "t"):
        with pytest.raises(UserError, match=r"row 0: empty (prompt|tests); fill it in or take the row out"):
            made(template, {"q": "x", "t": "1", "s": "", "o": "", part: " "})


def test_a_row_reads_no_column_that_it_does_not_name():
    found = Template({"prompt": "{% for x in xs %}{{ x }}{{ loop.index }}{% endfor %}{{ b if b is defined else '' }}"})
    assert found.columns("data", ["xs", "other"]) == ["xs"]
    assert found.columns("data", ["xs", "b"]) == ["xs", "b"]
    with pytest.raises(UserError, match=r"^data: no column 'xs', which the template reads; found: b, other$"):
        found.columns("data", ["b", "other"])
    assert Template({"prompt": "{{ row['my column'] }}"}).columns("data", ["my column", "b"]) == ["my column", "b"]


def test_choices_have_letters_or_labels_of_their_own():
    [row] = made(CHOICES, {"q": "x", "c": ["u", "v"], "g": 1})
    assert json.loads(row["meta"]) == {"choices": ["u", "v"], "labels": ["A", "B"], "gold": 1}
    assert row["answer"] == "B"
    [row] = made({**CHOICES, "labels": "l"}, {"q": "x", "c": ["u", "v"], "l": ["1", "2"], "g": "2"})
    assert (json.loads(row["meta"])["gold"], row["answer"]) == (1, "2")
    [row] = made(CHOICES, {"q": "x", "c": ["u", "v"], "g": "1"})  # a place, where it is no label
    assert row["answer"] == "B"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"c": ["u"]}, "choices: at least two are needed; found 1"),
        ({"c": "uv"}, "choices: a list is needed, not str"),
        ({"c": ["u", " "]}, "choices: ' ' is no text"),
        ({"c": ["u", None]}, "choices: None is no text"),
        ({"g": 2}, "gold: 2 is neither one of the labels A, B nor a place from 0 to 1"),
        ({"g": -1}, "gold: -1 is neither"),
        ({"g": True}, "gold: True is neither"),
        ({"g": "C"}, "gold: 'C' is neither"),
        ({"g": ""}, "gold: '' is neither"),
    ],
)
def test_bad_choices_are_named(record, message):
    with pytest.raises(UserError, match=rf"^row 1: {message}"):
        made(CHOICES, {"q": "x", "c": ["u", "v"], "g": 0}, {"q": "x", "c": ["u", "v"], "g": 0, **record})


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ({"prompt": "{{ q.missing.deeper }}"}, "template: prompt: .*no attribute 'missing'"),
        ({"prompt": "{{ q + 1 }}"}, "template: prompt: can only concatenate str"),
        ({"prompt": "{{ q | boxed }}"}, r"template: prompt: boxed: there is no closed \\boxed\{"),
        ({"prompt": "{{ q.__class__.__mro__ }}"}, "template: prompt: .*unsafe"),
        ({"prompt": "{{ schema('a') }}"}, "template: prompt: databases: missing; name the folder"),
    ],
)
def test_what_a_template_cannot_do_with_a_row_is_named_by_row_and_part(template, message):
    with pytest.raises(UserError, match=rf"^row 0: {message}"):
        made(template, {"q": "x"})


def test_an_unknown_filter_is_named():
    with pytest.raises(UserError, match=r"^template: prompt: No filter named 'bocksed'"):
        made({"prompt": "{{ q | bocksed }}"}, {"q": "x"})


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ({}, "template: prompt: missing; add this key"),
        ({"prompt": "{{ q"}, "template: prompt: '{{ q' is no Jinja template: .* in its line 1"),
        ({"prompt": " "}, "template: prompt: is empty; fill it in or take the key out"),
        ({"prompt": "x", "choices": "{{ c }}", "gold": "g"}, "template: choices: '{{ c }}' is .*without braces"),
        ({"prompt": "x", "choices": "c", "gold": "g +"}, "template: gold: 'g \\+' is no Jinja expression"),
        ({"prompt": "x", "choices": "c"}, "template: choices: needs gold beside it; add it or take choices out"),
        ({"prompt": "x", "setup": "c"}, "template: setup: needs tests beside it; add it or take setup out"),
        ({"prompt": "x", "answr": "c"}, "template: answr: unknown key; did you mean answer"),
    ],
)
def test_a_wrong_template_is_refused_before_anything_runs(refusal, template, message):
    task = {"kind": "file", "splits": {"test": "a.jsonl"}, "template": template}
    assert re.match(f"tasks: x: {message}", refusal(study_with({"tasks/x": task})))


def test_a_database_is_found_and_its_tables_are_shown(tmp_path):
    make_database(tmp_path, "shop", "CREATE TABLE sold (what TEXT)")
    template = {"prompt": "{{ schema(d) }}", "answer": "{{ s }}", "database": "{{ d }}"}
    record = {"d": "shop", "s": "SELECT 1"}
    [row] = made(template, record, databases=str(tmp_path))
    assert row["messages"][0]["content"] == "CREATE TABLE sold (what TEXT);"
    database = json.loads(row["meta"])["database"]
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT COUNT(*) FROM sold").fetchone() == (0,)
    with pytest.raises(UserError, match=r"row 0: template: prompt: databases: there is no file .*/shopp\.sqlite; name"):
        made(template, {**record, "d": "shopp"}, databases=str(tmp_path))
    for name in ("../shop", "a/b", ""):
        with pytest.raises(UserError, match="is not the name of a database"):
            made(template, {**record, "d": name}, databases=str(tmp_path))


def test_a_file_without_the_columns_of_a_template_is_refused_by_its_first_row(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"frage": "x"}\n')
    spec = {"kind": "file", "splits": {"test": str(path)}, "template": {"prompt": "{{ q }}"}}
    for read in (file.load, file.check):
        with pytest.raises(UserError, match=r"a\.jsonl line 1: no column 'q', which the template reads; found: frage"):
            read(spec, "test")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{{ q }}", "'q' is empty"),
        ("a {{ q | trim }}", "'q' is empty"),
        ("{{ 'a' ~ q }}", "'q' is empty"),
        ("{{ r.deep }} {{ r }}", "an expression of 'r' is empty"),
        ("{% for x in xs %}{{ x }}{% endfor %}", "'x' is empty"),
        ("{{ xs | map('trim') | list }}", "trim: its value is empty"),
        ("{{ xs | join(', ') }}", "join: an item of the list is empty"),
        ("{{ q | join(', ') }}", "'q' is empty"),
        ("{{ q if q is defined else '' }}", "an expression of 'q' is empty"),
    ],
)
def test_a_null_never_becomes_a_word(text, named):
    record = {"q": None, "r": {"deep": None}, "xs": ["a", None], "p": "p"}
    with pytest.raises(UserError, match=rf"^row 0: template: response: {named} \(null\); fill it in"):
        made({"prompt": "{{ p }}", "response": text}, record)


def test_a_null_may_be_asked_for_and_replaced():
    text = (
        "{% if q %}{{ q }}{% endif %}{{ q or '-' }}{{ q | default('+', true) }}{{ [1, 2] | join('/') }}{{ q is none }}"
    )
    [row] = made({"prompt": text}, {"q": None})
    assert row["messages"][0]["content"] == "-+1/2True"


def test_a_null_among_choices_is_refused():
    with pytest.raises(UserError, match=r"^row 0: template: choices: trim: its value is empty \(null\)"):
        made({**CHOICES, "choices": "c | map('trim') | list"}, {"q": "x", "c": ["a", None], "g": 0})


def test_a_text_in_place_of_a_list_is_not_joined_letter_by_letter():
    with pytest.raises(UserError, match=r"^row 0: template: tests: join: a list is needed, not one text; .*assert f"):
        made({"prompt": "{{ q }}", "tests": r"{{ t | join('\n') }}"}, {"q": "x", "t": "assert f() == 1"})


@pytest.mark.parametrize("template", [{"prompt": "{{ x | nosuch }}"}, {**CHOICES, "choices": "c | nosuch"}])
def test_the_filters_that_there_are_are_named_and_no_line_of_jinja(template):
    with pytest.raises(UserError) as refused:
        made(template, {"x": "x"})
    said = str(refused.value)
    assert re.search(r"No filter named 'nosuch'; the filters are sub, boxed, shuffled and Jinja's: abs, .*trim", said)
    assert "unknown" not in said and "__" not in said and " line " not in said

"""Declaring a refactor as equal: what is compared, what is declared, and what is refused."""

import json
import re

import pytest

from clearminds.commands.accept_code import changed_roots, compare, unrun
from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.tables import write_json, write_table
from clearminds.reuse import accepted, stage_code
from clearminds.reuse.definitions import Tree

VERDICT = {"example_id": "a", "sample": 0, "verdict": "correct", "detail": ""}


@pytest.fixture
def sides(tmp_path):
    """Results of two runs that only differ in the code that made them."""
    for side in ("old", "new"):
        folder = tmp_path / side / "golden"
        write_table(folder / "v.parquet", [VERDICT], contracts.VERDICTS, {"code": side, "spec": {}, "stage": "s"})
        write_json(folder / "adapter.json", {"code": side, "files": {"a": "1"}})
        (folder / "weights").write_bytes(b"12")
        (folder / "run.json").write_text(side)
        (folder / ".jobs").mkdir()
        (folder / ".jobs" / "record.json").write_text(side)
        (tmp_path / side / "store").mkdir()
        (tmp_path / side / "store" / "part").write_text(side)
    return tmp_path / "old", tmp_path / "new"


def test_results_of_other_code_are_equal(sides):
    assert compare(*sides) == 3


@pytest.mark.parametrize("name", ["v.parquet", "adapter.json", "weights"])
def test_a_result_that_differs_is_named(sides, name):
    file = sides[1] / "golden" / name
    if name == "v.parquet":
        write_table(file, [VERDICT | {"verdict": "incorrect"}], contracts.VERDICTS, {"code": "new", "spec": {}})
    else:
        file.write_bytes(file.read_bytes().replace(b"1", b"2"))
    with pytest.raises(UserError, match=rf"golden/{name} differs: .* nothing was declared"):
        compare(*sides)


def test_a_count_that_differs_is_a_difference(sides):
    facts = {"code": "new", "spec": {}, "stage": "s", "counts": {"kept": 3}}
    write_table(sides[1] / "golden" / "v.parquet", [VERDICT], contracts.VERDICTS, facts)
    with pytest.raises(UserError, match=r"v\.parquet differs"):
        compare(*sides)


def test_a_result_on_one_side_only_is_named(sides):
    (sides[1] / "golden" / "more").write_text("")
    with pytest.raises(UserError, match="other results: golden/more"):
        compare(*sides)


def test_changed_roots_are_paired_by_name_with_what_their_jobs_called():
    jobs = [{"stage": "train_adapter", "called": {"a:f"}}, {"stage": "train_adapter", "called": {"a:g"}}]
    jobs += [{"stage": "report", "called": set()}]
    old = [{"a:main": "1", "b:f": "2"}, {"a:main": "1"}, {"c:main": "3"}]
    new = [{"b:f": "2", "a:main": "9"}, {"a:main": "9"}, {"c:main": "8"}]
    assert changed_roots(jobs, old, new) == [(("a:main", "1"), ("a:main", "9"), {"a:f", "a:g"})]
    renamed = [{"other:main": "9", "b:f": "2"}, {"a:main": "1"}, {}]
    assert changed_roots(jobs, old, renamed) == [(("a:main", "1"), ("other:main", "9"), {"a:f"})]
    with pytest.raises(UserError, match="were added, removed or renamed"):
        changed_roots(jobs, old, [{"x:main": "9", "y:f": "2"}, {"a:main": "1"}, {}])


BEFORE = """
LIMIT = 3
UNREAD = 1


class Model:
    def run(self):
        return LIMIT

    def rest(self):
        return 1


def helper():
    return 1


def other():
    return 2


def main():
    if Model().run():
        return helper()
    return other(), UNREAD
"""
RAN = {"scripts.s:main", "scripts.s:Model.run", "scripts.s:helper"}


@pytest.mark.parametrize(
    ("old", "new", "left"),
    [
        ("return 1\n\n\ndef other", "return 1 + 0\n\n\ndef other", []),
        ("LIMIT = 3", "LIMIT = 2 + 1", []),
        ("return LIMIT", "return int(LIMIT)", []),
        ("return 2", "return 1 + 1", ["scripts.s.other"]),
        ("return 1\n\n\ndef helper", "return 2 - 1\n\n\ndef helper", ["scripts.s.Model.rest"]),
        ("return other(), UNREAD", "return helper(), UNREAD", []),
        ("# nothing", "", []),
    ],
)
def test_what_changed_behind_a_root_must_have_run_in_its_jobs(tmp_path, old, new, left):
    trees = []
    for name, text in (("old", BEFORE), ("new", BEFORE.replace(old, new, 1))):
        file = tmp_path / name / "scripts" / "s.py"
        file.parent.mkdir(parents=True)
        file.write_text(text)
        trees.append(Tree(tmp_path / name))
    assert unrun(*trees, "scripts.s:main", "scripts.s:main", RAN) == left
    assert bool(unrun(*trees, "scripts.s:main", "scripts.s:main", set())) == (old in BEFORE)


def test_declared_digests_stand_for_the_first_one(tmp_path, monkeypatch):
    record = tmp_path / "accepted.json"
    record.write_text(json.dumps([{"old": "1", "new": "2"}, {"old": "2", "new": "3"}]), encoding="utf-8")
    declared = accepted.former(record)
    monkeypatch.setattr(accepted, "former", lambda: declared)
    assert [accepted.original(digest) for digest in "1234"] == ["1", "1", "1", "4"]
    assert accepted.entries(tmp_path / "none") == []


def test_a_declared_root_counts_as_it_did_before(monkeypatch):
    spec, root = {"verifier": "exact"}, "scripts.verify_responses:main"
    before, now = stage_code.fingerprint("verify_responses", spec), stage_code.root_digest(root)
    refactored = {root: "another"}
    digest = stage_code.root_digest
    monkeypatch.setattr(stage_code, "root_digest", lambda root: refactored.get(root) or digest(root))
    assert stage_code.fingerprint("verify_responses", spec) != before
    monkeypatch.setattr(accepted, "former", lambda: {"another": now})
    assert stage_code.fingerprint("verify_responses", spec) == before


def test_the_record_of_this_checkout_can_be_audited():
    for entry in accepted.entries():
        assert entry.keys() == {"root", "old", "new", "since", "reason", "files"}
        assert re.fullmatch(r"[0-9a-f]{40}", entry["since"]) and entry["reason"].strip() and entry["files"] > 20
        assert entry["old"] != entry["new"]

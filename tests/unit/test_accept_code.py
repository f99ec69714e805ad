"""Declaring a refactor as equal: what is compared, what is declared, and what is refused."""

import json
import re

import pytest

from clearminds.commands import accept_code
from clearminds.commands.accept_code import compare, declarations
from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.tables import write_json, write_table
from clearminds.reuse import accepted, stage_code

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


def test_a_result_on_one_side_only_is_named(sides):
    (sides[1] / "golden" / "more").write_text("")
    with pytest.raises(UserError, match="other results: golden/more"):
        compare(*sides)


def test_roots_whose_digest_changed_are_declared_once_and_the_report_s_are_not():
    jobs = [["train_adapter", {}], ["train_adapter", {}], ["report", {}]]
    old = [[["a:main", "1"], ["b:f", "2"]], [["a:main", "1"], ["b:f", "2"]], [["c:main", "3"]]]
    new = [[["a:main", "9"], ["b:f", "2"]], [["a:main", "9"], ["b:f", "2"]], [["c:main", "8"]]]
    assert declarations(jobs, old, new, "abc", "renamed", 7) == [
        {"root": "a:main", "old": "1", "new": "9", "since": "abc", "reason": "renamed", "files": 7}
    ]


def test_what_changed_and_did_not_run_is_refused():
    old, new = [{"m:f": "1", "m:C": "1", "n:g": "1"}], [{"m:f": "2", "m:C": "2", "n:g": "1"}]
    accept_code._refuse_unrun(old, new, {"m:f"})  # the constant is one of a module that ran
    with pytest.raises(UserError, match=r"did not run m\.C, m\.f, which changed"):
        accept_code._refuse_unrun(old, new, {"n:g"})


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

"""What a run leaves of its code: taken by those that find the same sources, and by nobody else."""

import json
from types import SimpleNamespace

import pytest
from demo_study import demo

from clearminds.checkout import WORKFLOW
from clearminds.errors import UserError
from clearminds.reuse import known_code, stage_code
from clearminds.reuse.known_code import KNOWN
from clearminds.reuse.run_code import CODE, changed_since, remember
from clearminds.run.specs import Specs

EXACT, NUMBER = {"verifier": "exact"}, {"verifier": "number"}
STAGE = "verify_responses"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    another_process()


def another_process() -> None:
    """Forget what this process has found."""
    known_code._taken.clear()
    known_code._known.cache_clear()
    known_code._first.cache_clear()


def unreadable(monkeypatch) -> None:
    """Let nothing be worked out any more."""
    another_process()
    for name in ("fingerprint", "parts", "roots", "tree"):
        monkeypatch.setattr(stage_code, name, None)


def test_what_was_left_is_what_would_be_worked_out_and_is_not_worked_out_again(monkeypatch):
    expected = [(stage_code.fingerprint(STAGE, spec), stage_code.parts(STAGE, spec)) for spec in (EXACT, NUMBER)]
    another_process()
    assert [known_code.fingerprint(STAGE, spec) for spec in (EXACT, NUMBER)] == [code for code, _ in expected]
    known_code.save()
    unreadable(monkeypatch)
    found = [(known_code.fingerprint(STAGE, spec), known_code.parts(STAGE, spec)) for spec in (EXACT, NUMBER)]
    assert found == expected


def test_a_later_run_adds_what_it_was_asked_beside(monkeypatch):
    for spec in (EXACT, NUMBER):
        another_process()
        known_code.fingerprint(STAGE, spec)
        known_code.save()
    unreadable(monkeypatch)
    assert known_code.fingerprint(STAGE, EXACT) != known_code.fingerprint(STAGE, NUMBER)


@pytest.mark.parametrize("edit", ["page.html.jinja", "more.py", "accepted_code.json"])
def test_any_edit_below_the_workflow_has_all_worked_out_again(tmp_path, monkeypatch, edit):
    known_code.fingerprint(STAGE, EXACT)
    known_code.save()
    wrong = json.loads(KNOWN.read_text())
    wrong["jobs"] = {key: ["wrong", roots] for key, (_, roots) in wrong["jobs"].items()}
    KNOWN.write_text(json.dumps(wrong))
    another_process()
    assert known_code.fingerprint(STAGE, EXACT) == "wrong"  # by the same sources it is believed
    copy = tmp_path / "workflow"
    copy.mkdir()
    (copy / edit).write_text("1")
    monkeypatch.setattr(known_code, "WORKFLOW", copy)
    another_process()
    assert known_code.fingerprint(STAGE, EXACT) == stage_code.fingerprint(STAGE, EXACT)


def test_nothing_is_left_of_sources_that_were_edited_while_they_were_read(tmp_path, monkeypatch):
    (tmp_path / "a.py").write_text("1")
    monkeypatch.setattr(known_code, "WORKFLOW", tmp_path)
    known_code.fingerprint(STAGE, EXACT)
    (tmp_path / "a.py").write_text("2")
    known_code.save()
    assert not KNOWN.exists()


def test_compiled_files_are_no_sources(tmp_path, monkeypatch):
    monkeypatch.setattr(known_code, "WORKFLOW", tmp_path)
    before = known_code.sources()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_bytes(b"1")
    another_process()
    assert known_code.sources() == before
    (tmp_path / "a.py").write_text("1")
    another_process()
    assert known_code.sources() != before


def test_plugins_that_are_kept_elsewhere_are_sources(tmp_path, monkeypatch):
    inside, elsewhere = tmp_path / "workflow", tmp_path / "elsewhere"
    for place in (inside, elsewhere):
        place.mkdir()
    (inside / "plugins").symlink_to(elsewhere)
    (elsewhere / "again").symlink_to(inside)  # which ends all the same
    monkeypatch.setattr(known_code, "WORKFLOW", inside)
    before = known_code.sources()
    (elsewhere / "rule.py").write_text("1")
    assert known_code._sources() != before


def test_a_run_whose_code_was_edited_while_it_was_planned_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(known_code, "WORKFLOW", tmp_path)
    known_code.sources()
    (tmp_path / "a.py").write_text("1")
    with pytest.raises(UserError, match="edited while the jobs were planned"):
        remember()
    assert not CODE.exists()


def test_a_job_that_starts_later_has_the_code_of_the_run(monkeypatch):
    specs, job = Specs(demo()), {"model": "smollm2-135m-q4", "target": "sums", "variant": "stm-2.5", "draw": ""}
    specs.settle_code([("build_masks", job), ("all", {}), ("report", {})])
    unreadable(monkeypatch)
    monkeypatch.setattr(known_code, "fingerprint", None)
    assert specs.code("build_masks")(SimpleNamespace(**job)) and specs.code("report")(SimpleNamespace())


def test_an_editor_s_lock_that_leads_nowhere_stops_no_job(tmp_path, monkeypatch):
    monkeypatch.setattr(known_code, "WORKFLOW", tmp_path)
    (tmp_path / ".#a.py").symlink_to("user@host.1")
    assert known_code.sources() == known_code._sources()[0]


def test_a_damaged_file_is_no_file():
    KNOWN.parent.mkdir()
    KNOWN.write_text("{")
    assert known_code.fingerprint(STAGE, EXACT) == stage_code.fingerprint(STAGE, EXACT)


def test_a_job_sees_by_the_sources_alone_that_its_run_began_with_the_same_code(monkeypatch):
    remember()
    unreadable(monkeypatch)
    assert known_code.WORKFLOW == WORKFLOW and changed_since(STAGE, EXACT) == []


def test_a_run_by_the_same_sources_leaves_the_record_of_the_last_one_and_another_replaces_it(tmp_path, monkeypatch):
    remember()
    before = CODE.stat()
    remember()
    assert CODE.stat().st_ino == before.st_ino
    monkeypatch.setattr(known_code, "WORKFLOW", tmp_path / "none")
    another_process()
    remember()
    assert CODE.stat().st_ino != before.st_ino

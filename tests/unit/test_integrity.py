"""Files are compared with the records of the jobs that made them: when a run begins, before a job, and on demand."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clearminds.commands.verify import main as verify
from clearminds.errors import UserError
from clearminds.files import stamps
from clearminds.files.digests import file_sha256
from clearminds.files.layout import Layout
from clearminds.reuse.adopt import UNKNOWN, adopt
from clearminds.reuse.integrity import Deviation, as_made, deviations, refuse_altered, replaced_inputs
from clearminds.reuse.job_memory import JobMemory, digests, made_by, memories
from clearminds.reuse.snakemake_compat import Records

LAYOUT = Layout.of("demo")
ADAPTER = LAYOUT.adapter.path(model="m", target="t", variant="v", seed=0)
WEIGHTS, HISTORY = (str(Path(ADAPTER).with_name(name)) for name in ("adapter_model.safetensors", "history.parquet"))
SCORES, SEQUENCES = (
    kind.path(scorer="m", model="m", task="t", split="train", source="reference")
    for kind in (LAYOUT.scores, LAYOUT.sequences)
)


class Study:
    """Two jobs that have run: two tables, made of a user's file; and an adapter, which declares its folder."""

    def __init__(self, folder):
        self.folder = folder
        for path in ("data.jsonl", SCORES, SEQUENCES):
            self.write(path, path)
        weights = self.write(WEIGHTS, "weights")
        self.write(HISTORY, "history")
        self.write(ADAPTER, json.dumps({"files": {"adapter_model.safetensors": file_sha256(weights)}}))
        self.keep("score_token_perplexity", [SCORES, SEQUENCES], ["data.jsonl"])
        self.keep("train_adapter", [ADAPTER], [SCORES])

    def write(self, path, text):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def keep(self, stage, outputs, inputs):
        files = [Path(path) for path in outputs]
        memory = JobMemory.of(Path(LAYOUT.jobs), files, stage, "j")
        memory.keep(made_by(stage, {}, "c", {}, digests([Path(path) for path in inputs])))

    def memories(self) -> list[tuple[Path, dict]]:
        return [(file.parent, json.loads(file.read_text())) for file in Path(LAYOUT.jobs).rglob("record.json")]

    def found(self) -> set[str]:
        return {one.path for memory, record in self.memories() for one in deviations(memory, record)}

    def read(self, *paths):
        refuse_altered(Path(LAYOUT.jobs), digests([Path(path) for path in paths]))


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stamps, "_checked", {})
    return Study(tmp_path)


def test_what_is_as_it_was_made_is_read_without_a_word(study):
    assert study.found() == set()
    study.read("data.jsonl", SCORES, SEQUENCES, ADAPTER)


@pytest.mark.parametrize("path", [SCORES, SEQUENCES, ADAPTER])
def test_an_edited_output_is_found_and_no_job_reads_it(study, path):
    study.write(path, json.dumps({"files": {}}))
    assert path in study.found()
    with pytest.raises(UserError, match=f"{path}: is not what its job made .* start the workflow again"):
        study.read(path)


@pytest.mark.parametrize("text", ["100 times the weights", "", None])
def test_a_file_that_an_adapter_names_is_checked_with_it(study, text):
    study.write(WEIGHTS, text or "")
    if text is None:
        os.remove(WEIGHTS)
    assert study.found() == {WEIGHTS}
    with pytest.raises(UserError, match=f"{WEIGHTS}: is (gone|not what was made)"):
        study.read(ADAPTER)


def test_a_link_of_a_model_s_folder_that_leads_nowhere_is_no_deviation_and_stops_who_reads_it(study):
    model, elsewhere = Path(LAYOUT.model.path(model="m")), study.folder / "elsewhere"
    study.write(elsewhere, "weights")
    model.parent.mkdir(parents=True)
    link = model.with_name("model.safetensors")
    link.symlink_to(elsewhere)
    study.write(model, json.dumps({"files": {link.name: file_sha256(link)}}))
    study.keep("fetch_model", [model], [])
    study.read(model)
    elsewhere.unlink()
    assert study.found() == set()
    with pytest.raises(UserError, match=r"model.safetensors: is gone or cannot be read"):
        study.read(model)


def test_every_file_of_a_declared_folder_is_checked(study):
    study.write(HISTORY, "another")
    assert study.found() == {HISTORY}


def test_a_model_card_that_a_user_edits_counts_for_no_result(study):
    card = str(Path(ADAPTER).with_name("README.md"))
    study.write(card, "card")
    study.keep("train_adapter", [ADAPTER], [SCORES])
    study.write(card, "my own words")
    [found] = [one for memory, record in study.memories() for one in deviations(memory, record)]
    assert found.path == card and not found.counts
    memory, [record] = (
        JobMemory.of(Path(LAYOUT.jobs), [Path(ADAPTER)], "train_adapter", "j"),
        [record for _, record in study.memories() if ADAPTER in record["outputs"]],
    )
    os.remove(ADAPTER)
    assert memory.take_back(record) and Path(card).read_text() == "my own words"


def test_a_declaring_file_that_names_nothing_is_refused(study, tmp_path):
    study.write("elsewhere/model.json", "[]")
    with pytest.raises(UserError, match=r"elsewhere/model.json: names no files \(edited or damaged\)"):
        study.read("elsewhere/model.json")


def test_a_user_s_file_that_is_another_now_is_found_by_who_made_something_of_it(study):
    study.write("data.jsonl", "another")
    [(memory, record)] = [one for one in study.memories() if SCORES in one[1]["outputs"]]
    expected = Deviation("data.jsonl", "is not the file that the results were made of", is_input=True)
    assert deviations(memory, record) == [expected]
    study.read("data.jsonl")  # a job that reads it now makes its result of what is there


def test_an_output_that_is_gone_is_no_deviation_as_snakemake_makes_it_again(study):
    os.remove(SCORES)
    os.remove(ADAPTER)
    os.remove(WEIGHTS)
    assert study.found() == set()


def test_an_input_that_is_gone_is_named(study):
    with pytest.raises(UserError, match=r"gone.jsonl: is gone; start the workflow again"):
        study.read("gone.jsonl")


def test_a_file_that_changes_after_it_was_checked_is_refused(study):
    study.read(ADAPTER)
    study.write(WEIGHTS, "another")
    with pytest.raises(UserError, match="changed while this job worked with it"):
        stamps.refuse_changed()


# --- results of another version of their inputs -----------------------------------------------------------------------


def believed(path) -> bool:
    """Whether Snakemake is told what made a file."""
    assert adopt(LAYOUT) == []
    return Records(Path(".snakemake")).params(path) not in (None, UNKNOWN)


def replaced() -> list[str]:
    memory, record = next(one for one in memories(Path(LAYOUT.jobs)).items() if ADAPTER in one[1]["outputs"])
    return replaced_inputs(memory, record, as_made(memory, record["inputs"]))


def test_a_result_of_an_older_version_of_its_input_is_not_believed_whatever_the_times(study):
    assert believed(ADAPTER) and believed(SCORES) and not replaced()
    study.write(SCORES, "made again, of other settings")
    study.keep("score_token_perplexity", [SCORES, SEQUENCES], ["data.jsonl"])
    for path in study.folder.rglob("*"):
        os.utime(path, (1, 1))
    assert believed(SCORES) and not believed(ADAPTER) and replaced() == [SCORES]
    study.write(SCORES, SCORES)
    study.keep("score_token_perplexity", [SCORES, SEQUENCES], ["data.jsonl"])
    assert believed(ADAPTER) and not replaced()


def test_a_result_that_was_taken_back_under_other_bytes_of_the_same_content_is_believed(study):
    rows = [{"x": 1}]
    provenance = {"contract": "C", "version": 1, "spec": {"tau": "2"}}
    masks = study.folder / SCORES

    def write(tau):
        facts = {"clearminds": json.dumps({**provenance, "spec": {"tau": tau}})}
        masks.unlink()
        pq.write_table(pa.Table.from_pylist(rows).replace_schema_metadata(facts), masks)
        study.keep("score_token_perplexity", [SCORES, SEQUENCES], ["data.jsonl"])

    write("2")
    study.keep("train_adapter", [ADAPTER], [SCORES])
    before = file_sha256(masks)
    write("3")
    assert file_sha256(masks) != before and believed(ADAPTER) and not replaced()
    os.utime(masks, (1, 1))
    assert believed(ADAPTER)  # its content is on record now, and found there by its stamp
    assert "content of" in (memories_of(ADAPTER) / "stamps.json").read_text()
    rows[0]["x"] = 2
    write("3")
    assert not believed(ADAPTER) and replaced() == [SCORES]


def memories_of(path) -> Path:
    return next(memory for memory, record in memories(Path(LAYOUT.jobs)).items() if path in record["outputs"])


def test_outputs_that_are_gone_are_on_snakemake_s_record_too(study):
    """It compares the params of a job only if all outputs that it declares have a record."""
    tables = [LAYOUT.summary.path(), LAYOUT.summary_csv.path()]
    for path in tables:
        study.write(path, path)
    study.keep("summarise", tables, [ADAPTER])
    os.remove(tables[1])
    assert adopt(LAYOUT) == []
    ledger = Records(Path(".snakemake"))
    assert ledger.params(tables[0]) == ledger.params(tables[1]) not in (None, UNKNOWN)
    declared = [getattr(LAYOUT, name) for name, kind in Layout.outputs().items() if kind.stage == "summarise"]
    others = {kind.path() for kind in declared} - set(tables)
    assert len(others) == 7 and all(ledger.params(path) == UNKNOWN for path in others)  # an earlier version made fewer
    assert ledger.params(SEQUENCES) == ledger.params(SCORES)
    os.remove(tables[0])
    os.remove(SCORES)
    assert adopt(LAYOUT) == []


def test_verify_names_a_result_of_another_version_of_its_input(study, capsys):
    study.write(SCORES, "made again")
    study.keep("score_token_perplexity", [SCORES, SEQUENCES], ["data.jsonl"])
    with pytest.raises(SystemExit):
        verify(["--directory", str(study.folder)])
    assert capsys.readouterr().out.splitlines() == [
        f"{ADAPTER}: was made of another {SCORES} than is there now",
        "5 files below results/demo/ are as recorded, 1 are not",
    ]


# --- make verify ------------------------------------------------------------------------------------------------------


def test_verify_counts_what_is_right(study, capsys):
    verify(["--directory", str(study.folder)])
    assert capsys.readouterr().out == "5 files below results/demo/ are as recorded, 0 are not\n"


def test_verify_reads_every_file_whatever_its_stamp_and_names_what_is_wrong(study, capsys, monkeypatch):
    real = stamps.stamp  # on a file system whose inodes do not tell when they changed
    monkeypatch.setattr(stamps, "stamp", lambda file: (found := real(file)) and (*found[:3], 0))
    file = study.folder / SEQUENCES
    os.utime(file, ns=(1, 1))
    assert study.found() == set()  # now its stamp is known
    with open(file, "r+") as handle:
        handle.write("X")
    os.utime(file, ns=(1, 1))
    before = {path: path.read_bytes() for path in study.folder.rglob("*.json") if path.is_file()}
    assert study.found() == set()  # the stamp is the same: nothing tells it without reading
    study.write(LAYOUT.summary.path(), "of nobody")
    with pytest.raises(SystemExit) as end:
        verify(["--directory", str(study.folder)])
    assert end.value.code == 1
    assert {path: path.read_bytes() for path in study.folder.rglob("*.json") if path.is_file()} == before
    assert capsys.readouterr().out.splitlines() == [
        f"{SEQUENCES}: is not what its job made (edited or damaged)",
        f"{LAYOUT.summary.path()}: no job has it on record",
        "4 files below results/demo/ are as recorded, 2 are not",
    ]


def test_verify_waits_for_no_run_that_makes_files_meanwhile(study, monkeypatch):
    monkeypatch.setattr("clearminds.commands.verify.alive", lambda: True)
    with pytest.raises(UserError, match=r"a run is going on in .* verify again"):
        verify(["--directory", str(study.folder)])

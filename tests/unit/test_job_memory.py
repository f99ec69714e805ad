"""A job takes its result back if nothing it depends on has changed and the result is whole, and never otherwise."""

import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clearminds.files.digests import file_sha256
from clearminds.files.layout import earlier_memory_of, memory_of
from clearminds.reuse.integrity import replaced_inputs
from clearminds.reuse.job_memory import JobMemory, digests, find_record, made_by, records


@pytest.fixture
def job(tmp_path):
    """A job with one input and two outputs that has run once."""
    return Job(tmp_path)


class Job:
    def __init__(self, folder):
        self.input, self.outputs = folder / "in.json", [folder / "out" / "a.json", folder / "out" / "b.json"]
        self.outputs[0].parent.mkdir()
        self.input.write_text("input")
        self.memory = JobMemory(folder / "memory", self.outputs)
        self.write("first")
        self.memory.keep(self.origin())

    def write(self, text):
        for output in self.outputs:
            output.unlink(missing_ok=True)
            output.write_text(json.dumps({"text": text, "of": output.name}))

    def origin(self, spec=None, code="c"):
        return made_by("stage", spec or {"tau": "2"}, code, {"m": "1"}, digests([self.input]))

    def remove_outputs(self):
        for output in self.outputs:
            output.unlink()

    def take_back(self, **changed):
        self.remove_outputs()
        return self.memory.take_back(self.origin(**changed))


def test_an_unchanged_job_takes_all_its_outputs_back_newer_than_its_inputs(job):
    before = [output.read_bytes() for output in job.outputs]
    os.utime(job.input)
    assert job.take_back()
    assert [output.read_bytes() for output in job.outputs] == before
    assert all(output.stat().st_mtime >= job.input.stat().st_mtime for output in job.outputs)
    assert not list(job.outputs[0].parent.glob(".*"))
    assert job.take_back()  # as often as it is asked for


@pytest.mark.parametrize("changed", [{"spec": {"tau": "3"}}, {"code": "d"}])
def test_other_settings_or_code_make_it_anew(job, changed):
    assert not job.take_back(**changed)
    assert not any(output.exists() for output in job.outputs)


def test_another_input_makes_it_anew(job):
    job.input.write_text("another")
    assert not job.take_back()


def test_a_fact_of_an_input_that_a_result_depends_on_makes_it_anew_and_others_do_not(tmp_path):
    masks, adapter = tmp_path / "masks.parquet", tmp_path / "out" / "adapter"
    adapter.parent.mkdir()

    def origin(matched, tokens, facts=("counts.tokens",)):
        told = {"contract": "masks", "version": 1, "counts": {"matched": matched, "tokens": tokens}}
        table = pa.table({"n": [1]}).replace_schema_metadata({"clearminds": json.dumps(told)})
        pq.write_table(table, masks)
        return made_by("train", {}, "c", {}, digests([masks]), facts)

    adapter.write_text("adapter")
    memory = JobMemory(tmp_path / "memory", [adapter])
    memory.keep(origin(8, 100))
    made, content = {str(masks): "another"}, memory.record
    for matched, tokens, expected in (9, 100, True), (9, 101, False), (8, 100, True):
        adapter.unlink(missing_ok=True)
        assert memory.take_back(origin(matched, tokens)) is expected
        adapter.write_text("adapter")
        assert (replaced_inputs(memory.folder, content, made) == []) is expected
    plain = origin(8, 100, facts=())
    assert "facts" not in plain and plain["contents"] == origin(9, 101, facts=())["contents"]


def test_a_result_that_was_altered_in_place_is_made_anew(job):
    with open(job.outputs[1], "r+") as handle:
        handle.write("X")  # the kept copy is the same file
    assert not job.take_back()


@pytest.mark.parametrize("lost", ["kept/0.a.json", "kept/1.b.json", "record.json"])
def test_a_memory_with_gaps_is_none(job, lost):
    (job.memory.folder / lost).unlink()
    assert not job.take_back()


def test_a_broken_record_is_none(job):
    (job.memory.folder / "record.json").write_text("{")
    assert not job.take_back()


class Training:
    """A job whose declared result, `adapter.json`, names files in its folder, as training has."""

    def __init__(self, folder):
        self.adapter = folder / "seed0" / "adapter.json"
        self.weights, self.history = (self.adapter.with_name(name) for name in ("adapter.safetensors", "history.json"))
        self.adapter.parent.mkdir()
        self.weights.write_text("weights")
        self.history.write_text("history")
        self.adapter.write_text(json.dumps({"files": {self.weights.name: file_sha256(self.weights)}}))
        self.memory, self.origin = JobMemory(folder / "memory", [self.adapter]), made_by("train", {}, "c", {}, {})
        self.memory.keep(self.origin)

    def take_back(self):
        self.adapter.unlink()
        return self.memory.take_back(self.origin)


@pytest.fixture
def training(tmp_path):
    return Training(tmp_path)


def test_every_file_of_a_declared_folder_is_on_record(training):
    assert training.memory.record["companions"] == {
        str(file): file_sha256(file) for file in (training.weights, training.history)
    }


@pytest.mark.parametrize("name", ["weights", "history"])
def test_a_companion_that_is_gone_or_replaced_is_taken_back_too(training, name):
    file = getattr(training, name)
    file.unlink()
    assert training.take_back() and file.read_text() == name
    file.unlink()
    file.write_text("others")
    assert training.take_back() and file.read_text() == name


@pytest.mark.parametrize("text", ["", "w", "weighty"])
def test_a_companion_that_was_altered_in_place_is_made_anew(training, text):
    with open(training.weights, "w") as handle:  # the kept copy is the same file
        handle.write(text)
    assert not training.take_back() and not training.adapter.exists()


def test_companions_of_an_earlier_version_s_record_are_those_that_the_kept_file_names(training):
    record = training.memory.record
    del record["companions"]
    (training.memory.folder / "record.json").write_text(json.dumps(record))
    assert training.take_back()
    training.weights.write_text("others")
    assert not training.take_back()


def test_what_is_never_taken_back_is_not_kept(job):
    job.memory.keep(job.origin(), to_take_back=False)
    assert not list((job.memory.folder / "kept").iterdir())
    assert not job.take_back()


def test_a_later_run_takes_the_place_of_an_earlier_one(job):
    job.write("second")
    job.memory.keep(job.origin(code="d"))
    assert not job.take_back(code="c")
    assert job.memory.take_back(job.origin(code="d"))
    assert "second" in job.outputs[0].read_text()
    assert sorted(file.name for file in job.memory.folder.iterdir()) == ["kept", "record.json"]


# --- memories that earlier versions left ------------------------------------------------------------------------------


@pytest.fixture
def earlier(job, tmp_path):
    """The folder of all memories, in which the job's one is where earlier versions put it."""
    jobs = tmp_path / ".jobs"
    folder = earlier_memory_of(jobs, "stage", "the/job")
    folder.parent.mkdir(parents=True)
    job.memory.folder.rename(folder)
    return jobs


def test_a_record_of_an_earlier_version_is_found_and_nothing_is_moved_by_looking(job, earlier):
    before = sorted(earlier.rglob("*"))
    assert find_record(earlier, job.outputs[0], "stage", "the/job")["spec"] == '{"tau":"2"}'
    assert find_record(earlier, job.outputs[0], "stage", "another") is None
    assert records(earlier).keys() == {str(output) for output in job.outputs}
    assert sorted(earlier.rglob("*")) == before


def test_a_job_moves_the_memory_of_an_earlier_version_once_and_takes_its_result_back(job, earlier):
    job.memory = JobMemory.of(earlier, job.outputs, "stage", "the/job")
    assert job.memory.folder == memory_of(earlier, job.outputs[0])
    assert not earlier_memory_of(earlier, "stage", "the/job").exists()
    assert JobMemory.of(earlier, job.outputs, "stage", "the/job").record is not None
    assert job.take_back()


def test_the_memory_of_another_job_is_not_moved(job, earlier):
    other = JobMemory.of(earlier, [job.outputs[0].with_name("c.json")], "stage", "the/job")
    assert other.record is None
    above = JobMemory.of(earlier, job.outputs, "stage", "the")  # the folder of several jobs has no record
    assert above.record is None
    assert earlier_memory_of(earlier, "stage", "the/job").is_dir()


def test_a_job_s_own_record_counts_before_one_of_an_earlier_version(job, earlier):
    own = JobMemory(memory_of(earlier, job.outputs[0]), job.outputs)
    own.keep(job.origin(code="d"))
    assert JobMemory.of(earlier, job.outputs, "stage", "the/job").record["code"] == "d"
    assert find_record(earlier, job.outputs[0], "stage", "the/job")["code"] == "d"
    assert {record["code"] for record in records(earlier).values()} == {"d"}

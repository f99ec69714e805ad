"""How a job ends: by which class of error, in which line, and what its record keeps others from doing."""

import errno

import pytest
import torch

from clearminds.errors import OutOfMemory, UserError
from clearminds.job import outcome as outcomes
from clearminds.job.guard import Stopped
from clearminds.job.library_errors import out_of_memory
from clearminds.job.outcome import (
    Kind,
    Outcome,
    RecordedFailure,
    State,
    begin,
    log_path,
    outcome_of,
    read_outcome,
    record_forced_exit,
    record_path,
    write_outcome,
)

GPU = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.fixture
def log(tmp_path):
    return tmp_path / "train.reference.log"


def ends(error, log, stage="train_adapter", **runtime):
    return outcome_of(error, log, stage, runtime)


# --- what an error is -------------------------------------------------------------------------------------------------


def cuda_error(code):
    error = torch.AcceleratorError("CUDA error: words")
    error.error_code = code
    return error


def too_large():
    try:
        torch.empty(10**15)
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (GPU, "gpu"),
        (cuda_error(2), "gpu"),
        (cuda_error(700), None),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "gpu"),
        (too_large(), "host"),
        (MemoryError(), "host"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "host"),
        (OSError(errno.ENOSPC, "No space left on device"), None),
        (RuntimeError("the words out of memory, CUDA and all, decide nothing"), None),
        (ValueError("DefaultCPUAllocator: not enough memory"), None),
    ],
)
def test_a_library_that_is_out_of_memory_is_told_by_its_type(error, expected):
    assert out_of_memory(error) == expected


@pytest.mark.parametrize(
    ("stage", "lower"),
    [
        ("generate_responses", "lower runtime.generate_tokens (now 7)"),
        ("evaluate_adapter", "lower runtime.batch_rows (now 3) or runtime.batch_tokens (now 9)"),
        ("build_masks", "free some (on a cluster: raise mem_mb in the profile's set-resources)"),
    ],
)
def test_what_is_to_be_lowered_is_what_the_stage_obeys(log, stage, lower):
    ended = ends(GPU, log, stage, batch_tokens=9, generate_tokens=7, batch_rows=3)
    assert ended.line == f"out of memory on the GPU: {lower} and run again; nothing done is redone"
    assert (ended.kind, ended.retry_is_pointless, ended.exit_code) == (Kind.OUT_OF_MEMORY, True, 1)


def test_the_host_without_memory_is_tried_again(log):
    ended = ends(MemoryError(), log, "build_masks", batch_tokens=9)
    assert ended.line.startswith("out of memory: ") and ended.kind is Kind.OUT_OF_MEMORY
    assert not ended.retry_is_pointless


@pytest.mark.parametrize(
    ("error", "state", "kind", "line", "code"),
    [
        (UserError("a row\nis wrong"), "failed", "user_error", "a row is wrong", 1),
        (UserError("out of memory on the GPU, as a row says"), "failed", "user_error", "out of memory on the GPU,", 1),
        (OSError(errno.EDQUOT, "words", "a/b"), "failed", "no_space", "no space left on the disk of a/b: ", 1),
        (OSError(errno.EROFS, "Read-only", "a/b"), "failed", "no_access", "no access to a/b (Read-only); fix its", 1),
        (ValueError("x" * 999), "failed", "unexpected", f"unexpected ValueError: {'x' * 300} (traceback in ", 1),
        (Stopped(), "stopped", None, "stopped by the user or the scheduler; run again", 143),
        (KeyboardInterrupt(), "stopped", None, "stopped by the user or the scheduler; run again", 130),
    ],
)
def test_every_error_is_one_line_with_its_kind(log, error, state, kind, line, code):
    ended = ends(error, log)
    assert (ended.state, ended.kind, ended.exit_code, ended.retry_is_pointless) == (state, kind, code, False)
    assert ended.line.startswith(line) and "\n" not in ended.line


@pytest.mark.parametrize("error", [NotADirectoryError, FileExistsError])
def test_a_file_in_the_place_of_a_folder_is_named(log, tmp_path, error):
    (tmp_path / "results").write_text("")
    below = tmp_path / "results" / "s" if error is NotADirectoryError else tmp_path / "results"
    ended = ends(error(20, "words", str(below)), log)
    assert ended.line == f"{tmp_path}/results is a file, where a folder must be: move it away, then run again"


# --- the record -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ended", [Outcome(State.STARTED), Outcome(State.FAILED, Kind.NO_SPACE, "full", False, 1)])
def test_a_record_is_read_as_it_was_written(log, ended):
    write_outcome(log, ended)
    assert read_outcome(log) == ended
    assert log_path(record_path(log)) == log
    assert record_path(log).name == "train.reference.outcome.json"


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"state": "odd", "kind": null}', '{"state": "done"}'])
def test_a_record_that_cannot_be_read_is_none(log, text):
    record_path(log).write_text(text)
    assert read_outcome(log) is None
    begin(log, attempt=2)
    assert read_outcome(log) == Outcome(State.STARTED, attempt=2)


def test_a_gpu_without_memory_is_not_tried_again_until_the_user_does(log):
    begin(log, attempt=1)
    write_outcome(log, ends(GPU, log, batch_tokens=9))
    for attempt in (2, 3):
        with pytest.raises(RecordedFailure, match=r"^out of memory on the GPU: lower runtime.batch_tokens") as refused:
            begin(log, attempt)
        write_outcome(log, ends(refused.value, log))
    assert read_outcome(log) == ends(GPU, log, batch_tokens=9)
    begin(log, attempt=1)
    assert read_outcome(log) == Outcome(State.STARTED)


@pytest.mark.parametrize("error", [UserError("out of memory on the GPU"), MemoryError(), ValueError("it"), Stopped()])
def test_what_may_end_otherwise_is_tried_again(log, error):
    write_outcome(log, ends(error, log))
    begin(log, attempt=2)


def test_memory_of_the_host_and_of_a_gpu_differ_in_what_a_retry_can_do():
    assert OutOfMemory("m", on_gpu=True).retry_is_pointless and not OutOfMemory("m", on_gpu=False).retry_is_pointless


def test_a_job_that_is_ended_by_force_was_stopped_unless_it_has_said_how_it_ended(log):
    begin(log, attempt=1)
    record_forced_exit(log, 143)
    assert (read_outcome(log).state, read_outcome(log).exit_code) == (State.STOPPED, 143)
    write_outcome(log, Outcome(State.DONE, exit_code=0))
    record_forced_exit(log, 143)
    assert read_outcome(log) == Outcome(State.DONE, exit_code=0)


def test_a_full_disk_writes_it_in_the_place_of_the_former_one(log, monkeypatch):
    begin(log, attempt=1)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(outcomes, "write_json", full)
    write_outcome(log, Outcome(State.DONE, exit_code=0))
    assert read_outcome(log) == Outcome(State.DONE, exit_code=0)
    record_path(log).unlink()
    record_path(log).mkdir()
    write_outcome(log, Outcome(State.DONE, exit_code=0))  # nowhere to write: no reason to fail
    assert not list(record_path(log).iterdir())

"""The folder of checkpoints: which of them count, and what a damaged one costs."""

import errno
import json
import os
from pathlib import Path

import pytest
from safetensors import SafetensorError

from clearminds.stages.training.checkpoints import KEEP, MARKER, Checkpoints, disk_errors

IDENTITY = {"spec": {"tau": "2.5"}, "code": "c0de", "masks": "5ha", "model": "m0de1"}


def checkpoints(tmp_path, **changed):
    return Checkpoints(tmp_path / "checkpoints", IDENTITY | changed)


def written(folder, step):
    """What the Trainer leaves of a checkpoint, in small."""
    checkpoint = folder / f"checkpoint-{step}"
    (checkpoint / "deeper").mkdir(parents=True)
    (checkpoint / "optimizer.pt").write_bytes(bytes(1000))
    (checkpoint / "deeper" / "adapter.safetensors").write_text(f"step {step}")
    return checkpoint


@pytest.fixture
def two(tmp_path):
    """A folder with two whole checkpoints."""
    kept = checkpoints(tmp_path)
    kept.open()
    for step in (9, 10):  # by name, 10 would come first
        written(kept.folder, step)
        kept.mark(step)
    return kept


def test_the_folder_is_beside_the_adapters_own_and_says_what_is_trained(tmp_path):
    kept = checkpoints(tmp_path)
    assert kept.open() is None
    assert kept.folder == tmp_path / "checkpoints"
    text = (kept.folder / "identity.json").read_text()
    assert json.loads(text).items() >= (IDENTITY | {"processes": 1}).items()
    other_order = Checkpoints(tmp_path / "checkpoints", dict(reversed(IDENTITY.items())))
    other_order.open()
    assert (kept.folder / "identity.json").read_text() == text
    kept.remove()
    assert list(kept.folder.parent.iterdir()) == []


def test_the_newest_whole_checkpoint_counts(two, tmp_path, caplog):
    caplog.set_level("INFO", "clearminds")
    assert checkpoints(tmp_path).open() == two.folder / "checkpoint-10"
    assert caplog.messages == []


def test_two_whole_checkpoints_are_kept(two):
    for step in (11, 12, 13):
        written(two.folder, step)
        two.mark(step)
    assert sorted(path.name for path in two.folder.glob("checkpoint-*")) == ["checkpoint-12", "checkpoint-13"]
    assert KEEP == 2


@pytest.mark.parametrize("changed", [{"spec": {"tau": "3"}}, {"code": "c1de"}, {"masks": "0ther"}, {"model": "n"}])
def test_checkpoints_of_another_training_are_not_gone_on_from(two, tmp_path, changed, caplog):
    caplog.set_level("INFO", "clearminds")
    assert checkpoints(tmp_path, **changed).open() is None
    assert not list(two.folder.glob("checkpoint-*"))
    key = next(iter(changed))
    assert caplog.messages == [f"2 checkpoints of another training (other {key}): starting anew"]
    assert checkpoints(tmp_path).open() is None, "what is gone stays gone"


def test_another_number_of_processes_starts_anew(two, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "clearminds")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert checkpoints(tmp_path).open() is None
    assert "other processes" in caplog.text


@pytest.mark.parametrize("left", [None, "", '{"spec": '])
def test_checkpoints_of_unknown_origin_are_not_gone_on_from(two, tmp_path, left):
    identity = two.folder / "identity.json"
    identity.unlink() if left is None else identity.write_text(left)
    assert checkpoints(tmp_path).open() is None
    assert not list(two.folder.glob("checkpoint-*"))


def test_a_half_written_checkpoint_is_removed(two, tmp_path, caplog):
    caplog.set_level("INFO", "clearminds")
    half = written(two.folder, 11)
    assert checkpoints(tmp_path).open() == two.folder / "checkpoint-10"
    assert not half.exists()
    assert caplog.messages == ["checkpoint-11 was half-written: removed"]


def truncate(checkpoint):
    os.truncate(checkpoint / "optimizer.pt", 999)


def zero(checkpoint):
    (checkpoint / "deeper" / "adapter.safetensors").write_bytes(bytes(7))


def lose(checkpoint):
    (checkpoint / "optimizer.pt").unlink()


def empty_marker(checkpoint):
    (checkpoint / MARKER).write_text("")


@pytest.mark.parametrize("damage", [truncate, zero, lose, empty_marker])
def test_a_damaged_checkpoint_falls_back_to_the_one_before_and_then_to_the_beginning(two, tmp_path, damage, caplog):
    damage(two.folder / "checkpoint-10")
    assert checkpoints(tmp_path).open() == two.folder / "checkpoint-9"
    assert caplog.messages[0].startswith("checkpoint-10 is damaged (")
    damage(two.folder / "checkpoint-9")
    assert checkpoints(tmp_path).open() is None
    assert not list(two.folder.glob("checkpoint-*"))


def test_a_full_disk_is_told_as_one_whoever_writes(tmp_path, monkeypatch):
    with pytest.raises(OSError) as raised, disk_errors(tmp_path):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(tmp_path))
    torchs = RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598")
    with pytest.raises(RuntimeError, match="unexpected pos"), disk_errors(tmp_path):  # there is room: another reason
        raise torchs
    assert not list(tmp_path.iterdir())
    with pytest.raises(RuntimeError, match="CUDA"), disk_errors(tmp_path / "nowhere"):  # nothing that was written
        raise RuntimeError("CUDA error")

    def full(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError) as raised, disk_errors(tmp_path):
        raise torchs
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(tmp_path))

"""A file is known by its stamp where that is safe, and by its bytes in all other cases."""

import json
import os
import time

import pytest

from clearminds.errors import UserError
from clearminds.files import stamps as module
from clearminds.files.digests import file_sha256
from clearminds.files.stamps import Stamps, checked, refuse_changed, stamp

LONG_AGO = (time.time_ns() - 10**12,) * 2


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "weights"
    path.write_text("weights")
    os.utime(path, ns=LONG_AGO)
    return path


@pytest.fixture
def read(monkeypatch):
    """The files whose bytes were read."""
    found = []
    monkeypatch.setattr(module, "file_sha256", lambda path: found.append(path.name) or file_sha256(path))
    return found


def known(file) -> Stamps:
    """The stamps of one file, kept and read again."""
    first = Stamps(file.with_name("stamps.json"))
    first.sha256(file)
    first.save()
    return Stamps(first.path)


def test_an_unchanged_file_is_not_read_again(file, read):
    assert known(file).sha256(file) == file_sha256(file)
    assert read == ["weights"]
    assert known(file).sha256(file, anew=True) == file_sha256(file)
    assert len(read) == 2


def test_a_file_of_another_size_time_or_inode_is(file, read):
    stamps = known(file)
    os.utime(file)
    assert stamps.sha256(file) == file_sha256(file) and len(read) == 2
    copy = file.with_name("copy")
    copy.write_text("WEIGHTS")
    os.utime(copy, ns=LONG_AGO)
    copy.replace(file)  # the same size and time
    assert stamps.sha256(file) == file_sha256(file) and len(read) == 3


def test_a_file_that_was_changed_where_it_lies_and_has_its_time_back_is_read(file, read):
    stamps = known(file)
    file.write_text("WEIGHTS")
    os.utime(file, ns=LONG_AGO)  # the same size, time and inode
    assert stamps.sha256(file) == file_sha256(file) and len(read) == 2


def test_a_file_that_got_another_name_is_not_read_again_where_that_was_told(file, read):
    stamps = known(file)
    os.link(file, file.with_name("kept"))
    stamps.linked(file)
    assert stamps.sha256(file) == file_sha256(file) and read == ["weights"]
    stamps.linked(file.with_name("kept"))  # of which nothing is known
    os.utime(file)
    stamps.linked(file)
    assert stamps.sha256(file) == file_sha256(file) and len(read) == 2, "it was changed too"


def test_a_stamp_of_an_earlier_version_costs_one_reading(file, read):
    size, changed, inode, _ = stamp(file)
    file.with_name("stamps.json").write_text(json.dumps({str(file): ["old", size, changed, inode]}))
    stamps = Stamps(file.with_name("stamps.json"))
    for _ in range(2):
        assert stamps.sha256(file) == file_sha256(file) and read == ["weights"]


def test_a_young_file_is_read_every_time_as_clocks_are_coarse(file, read):
    os.utime(file)
    known(file).sha256(file)
    assert read == ["weights", "weights"]


def test_no_file_has_no_hash(tmp_path):
    stamps = Stamps(tmp_path / "stamps.json")
    assert stamps.sha256(tmp_path / "gone") is None
    assert stamps.sha256(tmp_path) is None  # a folder
    assert stamp(tmp_path / "gone") is None


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_damaged_stamps_know_nothing(file, text):
    file.with_name("stamps.json").write_text(text)
    assert Stamps(file.with_name("stamps.json")).sha256(file) == file_sha256(file)


def test_stamps_that_cannot_be_kept_are_done_without(file):
    stamps = Stamps(file / "stamps.json")  # below a file
    assert stamps.sha256(file) == file_sha256(file)
    stamps.save()


def test_a_file_that_changes_while_a_job_computes_with_it_is_refused(file, monkeypatch):
    monkeypatch.setattr(module, "_checked", {})
    checked(file, file_sha256(file))
    refuse_changed()
    os.utime(file)
    refuse_changed(file.parent)  # touched: the hash decides
    file.write_text("others")
    refuse_changed(file.parent / "another")
    for folder in (None, file.parent):
        with pytest.raises(UserError, match="weights: changed while this job worked with it"):
            refuse_changed(folder)

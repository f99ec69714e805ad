"""Launchers on full, small and read-only disks: one line, and what was there stays."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from launched import GOOD, Run, only_error

from clearminds.files import contracts
from clearminds.files.tables import read_table


@pytest.fixture
def mounted(tmp_path):
    """Mounts a small file system of its own at a folder; skips where that is not permitted."""
    folders = []

    def mount(folder: Path, size: str) -> Path:
        folder.mkdir(parents=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"mounting a tmpfs is not permitted here: {done.stderr.strip()}")
        folders.append(folder)
        return folder

    yield mount
    for folder in folders:
        subprocess.run(["umount", "--lazy", folder], check=True)


def long_texts(number: int) -> list[dict]:
    return [{"prompt": f"{n} {os.urandom(500).hex()}", "response": os.urandom(500).hex()} for n in range(number)]


@pytest.mark.slow
def test_a_full_disk_is_named_and_the_former_result_stays(tmp_path, mounted):
    disk = mounted(tmp_path / "results", "64k")
    run = Run(tmp_path, *GOOD)
    run()
    before = run.output.read_bytes()
    run.data.write_text("".join(json.dumps(line) + "\n" for line in long_texts(200)), encoding="utf-8")
    assert only_error(run()) == (
        f"no space left on the disk of {run.output}: free some, then run again (nothing finished is lost)"
    )
    assert run.output.read_bytes() == before
    assert not run.left_over(), disk


def test_a_full_disk_under_the_log_too_gives_the_same_line(tmp_path, mounted):
    mounted(tmp_path / "disk", "64k")
    run = Run(tmp_path, *long_texts(200))
    run.output = tmp_path / "disk" / "train.parquet"
    run.log = tmp_path / "disk" / "logs" / "train.log"
    filler = tmp_path / "disk" / "filler"
    run.log.parent.mkdir()
    try:
        filler.write_bytes(b"x" * 2**17)
    except OSError:
        assert filler.stat().st_size > 0
    error = only_error(run())
    assert error == f"no space left on the disk of {run.output}: free some, then run again (nothing finished is lost)"


def test_a_log_on_a_full_disk_costs_no_result(tmp_path, mounted):
    disk = mounted(tmp_path / "logs", "64k")
    run = Run(tmp_path, *GOOD)
    run.log.parent.mkdir(parents=True)
    try:
        (disk / "filler").write_bytes(b"x" * 2**17)
    except OSError:
        assert (disk / "filler").stat().st_size > 0
    done = run()
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "what this run cost is not recorded: no space left on the disk of " in done.stderr
    assert read_table(run.output, contracts.EXAMPLES).num_rows == 2


def test_a_result_whose_record_finds_no_room_is_not_taken_for_an_edited_one(tmp_path, mounted):
    disk = mounted(tmp_path / "jobs", "128k")
    run, memory = Run(tmp_path, *GOOD), {"memory": str(disk / ".jobs")}
    assert run(**memory).returncode == 0
    [record] = disk.rglob("record.json")
    try:
        (disk / "filler").write_bytes(b"x" * 2**18)
    except OSError:
        assert (disk / "filler").stat().st_size > 0
    run.data.write_text(run.data.read_text().replace("?", "!"))
    done = run(**memory)
    assert done.returncode == 0 and "what made this result is not recorded: no space left" in done.stderr, done.stderr
    assert not record.exists()  # it was of the result before


def test_a_read_only_disk_is_named(tmp_path, mounted):
    disk = mounted(tmp_path / "results", "64k")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    run = Run(tmp_path, *GOOD)
    error = only_error(run())
    assert error.startswith(f"no access to {disk}/examples")
    assert error.endswith(" (Read-only file system); fix its permissions, then run again")


def test_a_file_that_may_not_grow_fails_in_one_line(tmp_path):
    run = Run(tmp_path, *GOOD)
    run()
    before = run.output.read_bytes()
    run.data.write_text("".join(json.dumps(line) + "\n" for line in long_texts(200)), encoding="utf-8")
    assert "File too large" in only_error(run(limit=2**15))
    assert run.output.read_bytes() == before
    assert not run.left_over()

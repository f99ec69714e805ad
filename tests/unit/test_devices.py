"""A GPU for each job: pretended devices, and real processes that take, hold, free and wait for them."""

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from clearminds.errors import UserError
from clearminds.job import devices
from clearminds.job.finding_devices import SCHEDULERS

ROOT = Path(__file__).parents[2]
JOB = """
import json, os, sys, time
from pathlib import Path
from clearminds.job.devices import take_devices
count, seconds, record, user = int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
if user:
    os.setuid(user)  # now, for another user may not be able to read this interpreter
taken = take_devices(count)
start = time.time()
assert os.environ["CUDA_VISIBLE_DEVICES"] == ",".join(taken)
assert "torch" not in sys.modules
print(",".join(taken), flush=True)
time.sleep(seconds)
record.write_text(json.dumps({"devices": taken, "start": start, "end": time.time()}))
"""
CHOOSERS = (
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "LOCAL_RANK", "JOB_ID", "SGE_TASK_ID"),
    *SCHEDULERS,
)


class Machine:
    """A machine with pretended devices and a folder of its own for locks; starts jobs and ends those left."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.jobs: list[subprocess.Popen] = []

    def job(self, count: int = 1, seconds: float = 0.2, user: int = 0, **environment: str):
        """Start a process that takes `count` devices, prints them, and keeps them for some seconds."""
        record = self.folder / f"{len(self.jobs)}.json"
        known = {name: value for name, value in os.environ.items() if name not in CHOOSERS}
        started = subprocess.Popen(
            [sys.executable, "-c", JOB, str(count), str(seconds), str(record), str(user)],
            env={**known, "PYTHONPATH": str(ROOT / "workflow"), "TMPDIR": str(self.folder), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.jobs.append(started)
        return started

    def records(self) -> list[dict]:
        """What every job did, after waiting for the last one."""
        found = []
        for number, job in enumerate(self.jobs):
            _, said = job.communicate(timeout=60)
            assert job.returncode == 0, said
            found.append(json.loads((self.folder / f"{number}.json").read_text()))
        return found


@contextmanager
def ended(machine: Machine) -> Iterator[Machine]:
    try:
        yield machine
    finally:
        for job in machine.jobs:
            job.kill()
            job.communicate()


@pytest.fixture
def machine(tmp_path):
    with ended(Machine(tmp_path)) as made:
        yield made


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """This process as a job: no scheduler, no choice, locks in a folder of its own, given back at the end."""
    for name in CHOOSERS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(name, "")  # so that what the test sets is taken back
        monkeypatch.delenv(name)
    monkeypatch.setattr(devices.tempfile, "tempdir", str(tmp_path))
    held: dict[str, int] = {}
    monkeypatch.setattr(devices, "_held", held)
    yield monkeypatch
    for handle in held.values():
        os.close(handle)


def never_shared(records: list[dict]) -> None:
    """No two jobs had one device at a time."""
    for n, one in enumerate(records):
        for other in records[:n]:
            apart = one["end"] <= other["start"] or other["end"] <= one["start"]
            assert apart or not set(one["devices"]) & set(other["devices"]), (one, other)


# --- several jobs -----------------------------------------------------------------------------------------------------


def test_nine_jobs_on_three_devices_never_share_one_and_use_all(machine):
    for _ in range(9):
        machine.job(CLEARMINDS_DEVICES="0,1,2")
    records = machine.records()
    never_shared(records)
    assert {device for record in records for device in record["devices"]} == {"0", "1", "2"}
    assert all(len(record["devices"]) == 1 for record in records)


def test_jobs_that_want_two_of_three_do_not_block_one_another(machine):
    for _ in range(4):
        machine.job(count=2, CLEARMINDS_DEVICES="0,1,2")
    records = machine.records()
    never_shared(records)
    assert all(len(record["devices"]) == 2 for record in records)


def test_a_killed_job_frees_its_device(machine):
    holder = machine.job(seconds=60, CLEARMINDS_DEVICES="0")
    assert holder.stdout.readline() == "0\n"
    waiter = machine.job(seconds=0, CLEARMINDS_DEVICES="0")
    assert waiter.stderr.readline() == f"waiting for a free GPU: 0 held by pid {holder.pid}\n"
    holder.send_signal(signal.SIGKILL)
    out, said = waiter.communicate(timeout=30)
    assert (waiter.returncode, out, said) == (0, "0\n", "")


@pytest.mark.slow
def test_a_waiting_job_says_so_once_and_holds_nothing(machine):
    holder = machine.job(seconds=2, CLEARMINDS_DEVICES="0,1")
    assert holder.stdout.readline() == "0\n"
    waiter = machine.job(count=2, seconds=0, CLEARMINDS_DEVICES="0,1")
    assert waiter.stderr.readline() == f"waiting for 2 free GPUs: 0 held by pid {holder.pid}\n"
    other = machine.job(seconds=0, CLEARMINDS_DEVICES="0,1")
    assert other.stdout.readline() == "1\n"
    out, said = waiter.communicate(timeout=30)
    assert (out, said) == ("0,1\n", "")


def test_runs_with_other_names_for_a_device_respect_one_another(machine):
    holder = machine.job(seconds=60, CLEARMINDS_DEVICES="0,1", CUDA_VISIBLE_DEVICES="1")
    assert holder.stdout.readline() == "1\n"
    assert machine.job(seconds=60, CLEARMINDS_DEVICES="0,1").stdout.readline() == "0\n"
    third = machine.job(CLEARMINDS_DEVICES="0,1")
    first, second = (job.pid for job in machine.jobs[:2])
    assert third.stderr.readline() == f"waiting for a free GPU: 0 held by pid {second}, 1 held by pid {first}\n"


def test_waiting_takes_no_time_of_the_processor(machine):
    holder = machine.job(seconds=60, CLEARMINDS_DEVICES="0")
    holder.stdout.readline()
    waiter = machine.job(CLEARMINDS_DEVICES="0")
    waiter.stderr.readline()
    spent = [sum(map(int, Path(f"/proc/{waiter.pid}/stat").read_text().split()[13:15]))]
    time.sleep(1.2)
    spent.append(sum(map(int, Path(f"/proc/{waiter.pid}/stat").read_text().split()[13:15])))
    assert spent[1] - spent[0] <= 0.1 * os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(os.getuid() != 0, reason="only root may start a job of another user")
def test_another_user_s_job_waits_too_and_can_use_the_same_locks():
    with tempfile.TemporaryDirectory() as folder, ended(Machine(Path(folder))) as machine:
        machine.folder.chmod(0o1777)
        machine.job(seconds=0, CLEARMINDS_DEVICES="0").wait(timeout=30)
        theirs = machine.job(seconds=60, user=65534, CLEARMINDS_DEVICES="0")
        assert theirs.stdout.readline() == "0\n", theirs.communicate()[1]
        ours = machine.job(seconds=0, CLEARMINDS_DEVICES="0")
        assert ours.stderr.readline() == f"waiting for a free GPU: 0 held by pid {theirs.pid}\n"


# --- one job ----------------------------------------------------------------------------------------------------------


def test_locks_are_where_every_user_can_share_them(alone, tmp_path):
    alone.setenv("CLEARMINDS_DEVICES", "GPU-1/../x")
    before = os.umask(0o077)
    try:
        assert devices.take_devices(1) == ["GPU-1/../x"]
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
    folder = tmp_path / "clearminds-devices"
    [lock] = folder.iterdir()
    assert lock.name == "GPU-1%2F..%2Fx.lock"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
    assert stat.S_IMODE(lock.stat().st_mode) == 0o666


def test_locks_of_real_devices_are_in_one_folder_whatever_tmpdir_is(alone, tmp_path):
    alone.delenv("CLEARMINDS_DEVICES", raising=False)
    own, everybody_s = tmp_path / "own", tmp_path / "everybody's"
    for place, mode in (own, 0o755), (everybody_s, 0o1777):
        place.mkdir()
        place.chmod(mode)
    alone.setattr(devices, "SHARED", (tmp_path / "none", own, everybody_s))
    for temporary in "a", "b":
        alone.setattr(devices.tempfile, "tempdir", str(tmp_path / temporary))
        assert devices._folder() == everybody_s / "clearminds-devices"
    alone.setattr(devices, "SHARED", (tmp_path / "none", own))
    assert devices._folder() == tmp_path / "b" / "clearminds-devices"


def test_a_second_call_gives_the_same_devices(alone):
    alone.setenv("CLEARMINDS_DEVICES", "0,1,2")
    assert devices.take_devices(2) == ["0", "1"]
    assert devices.take_devices(2) == ["0", "1"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


@pytest.mark.parametrize(
    "environment",
    [
        {"SLURM_JOB_ID": "7"},
        {"PBS_JOBID": "7"},
        {"LSB_JOBID": "7"},
        {"JOB_ID": "7", "SGE_TASK_ID": "1"},
        {"LOCAL_RANK": "0"},
    ],
    ids=lambda environment: next(iter(environment)),
)
@pytest.mark.parametrize(("count", "chosen"), [(1, None), (1, "3"), (2, "3,5"), (0, ""), (1, "NoDevFiles")])
def test_what_a_scheduler_or_torchrun_has_chosen_stays(alone, tmp_path, environment, count, chosen):
    for name, value in environment.items():
        alone.setenv(name, value)
    if chosen is not None:
        alone.setenv("CUDA_VISIBLE_DEVICES", chosen)
    alone.setenv("CLEARMINDS_DEVICES", "0,1")
    assert devices.take_devices(count) == []
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == chosen
    assert list(tmp_path.iterdir()) == []


def test_jobs_share_out_what_an_allocation_has(machine):
    where = {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "3,5"}
    for _ in range(4):
        machine.job(seconds=0.5, **where)
    records = machine.records()
    never_shared(records)
    assert {device for record in records for device in record["devices"]} == {"3", "5"}


def test_another_allocation_s_numbers_are_other_devices(machine):
    for allocation in ("7", "8"):
        job = machine.job(seconds=60, SLURM_JOB_ID=allocation, CUDA_VISIBLE_DEVICES="0,1")
        assert job.stdout.readline() == "0\n"


@pytest.mark.parametrize("chosen", ["0,1", "3", None])
def test_a_job_without_gpus_sees_none_of_an_allocation(alone, tmp_path, chosen):
    """Nor of its machine, where the scheduler names none and hides none."""
    alone.setenv("SLURM_JOB_ID", "7")
    if chosen is not None:
        alone.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert devices.take_devices(0) == [] and os.environ["CUDA_VISIBLE_DEVICES"] == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("chosen", [None, "1"])
def test_no_gpu_asked_is_none_seen(alone, tmp_path, chosen):
    if chosen is not None:
        alone.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert devices.take_devices(0) == []
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
    assert list(tmp_path.iterdir()) == []


def test_the_user_s_choice_is_kept_in_its_words_and_order(alone):
    alone.setenv("CLEARMINDS_DEVICES", "0,1,2,3")
    alone.setenv("CUDA_VISIBLE_DEVICES", "3, 1")
    assert devices.take_devices(2) == ["3", "1"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3,1"
    assert "CUDA_DEVICE_ORDER" not in os.environ


@pytest.mark.parametrize(
    ("machine", "chosen", "count", "error"),
    [
        ("", None, 1, "asked 1, found 0 devices on this machine; set runtime: gpus to 0 (0 runs on the CPU)"),
        ("0", None, 2, "asked 2, found 1 device on this machine; set runtime: gpus to 1 or lower (0 runs on the CPU)"),
        ("0,1,2", "0,1", 3, 'asked 3, found 2 devices in CUDA_VISIBLE_DEVICES="0,1"; set runtime: gpus to 2 or lower'),
        ("0,1", "7,0", 1, 'asked 1, found 0 devices in CUDA_VISIBLE_DEVICES="7,0"; set runtime: gpus to 0'),
        ("0,1", "-1", 1, 'asked 1, found 0 devices in CUDA_VISIBLE_DEVICES="-1"; set runtime: gpus to 0'),
        ("0,1", "", 1, 'asked 1, found 0 devices in CUDA_VISIBLE_DEVICES=""; set runtime: gpus to 0'),
        ("0,1", "1,1", 2, 'asked 2, found 1 device in CUDA_VISIBLE_DEVICES="1,1"; set runtime: gpus to 1 or lower'),
    ],
)
def test_too_few_devices_are_one_line_that_names_the_key(alone, machine, chosen, count, error):
    alone.setenv("CLEARMINDS_DEVICES", machine)
    if chosen is not None:
        alone.setenv("CUDA_VISIBLE_DEVICES", chosen)
    with pytest.raises(UserError) as caught:
        devices.take_devices(count)
    assert str(caught.value).startswith(f"runtime: gpus: {error}")
    assert "\n" not in str(caught.value)


def test_locks_that_cannot_be_taken_are_one_line(alone, tmp_path):
    (tmp_path / "clearminds-devices").write_text("in the way")
    alone.setenv("CLEARMINDS_DEVICES", "0")
    with pytest.raises(UserError) as caught:
        devices.take_devices(1)
    assert str(caught.value) == (
        f"{tmp_path}/clearminds-devices/0.lock: cannot lock GPUs there (Not a directory); see that this user can "
        "write there and that it is a local disk, or set runtime: gpus to 0 (runs on the CPU)"
    )


def test_a_lock_file_never_brings_its_text_to_the_terminal(alone, tmp_path):
    device = devices.Device("0", "0")
    folder = tmp_path / "clearminds-devices"
    folder.mkdir()
    for text in ("", "\x1b[2J\n", "12 host\nmore\n", "12 \x07\n"):
        (folder / "0.lock").write_text(text)
        assert devices._holder(device) == "another process"
    (folder / "0.lock").write_text("12 elsewhere\n")
    assert devices._holder(device) == "pid 12 on elsewhere"


# --- the workstation's profile ----------------------------------------------------------------------------------------


def profile(name: str) -> dict:
    return yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text(encoding="utf-8"))


def test_the_workstation_profile_has_all_of_the_default_one():
    workstation = profile("workstation")
    assert workstation.pop("resources") == ["gpu=2"]
    assert workstation == profile("default")


@pytest.mark.slow
def test_snakemake_holds_jobs_to_the_profile_s_gpus(tmp_path):
    record = tmp_path / "record"
    (tmp_path / "Snakefile").write_text(
        "rule all:\n    input: expand('{n}.done', n=range(4))\n"
        "rule one:\n    output: touch('{n}.done')\n    resources: gpu=1\n"
        f"    shell: 'echo start >> {record}; sleep 0.5; echo end >> {record}'\n"
    )
    options = ["--workflow-profile", str(ROOT / "profiles" / "workstation"), "--cores", "4", "-d", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-s", str(tmp_path / "Snakefile"), *options],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    running = [0]
    for line in record.read_text().split():
        running.append(running[-1] + (1 if line == "start" else -1))
    assert max(running) == 2


def test_a_job_that_asked_for_gpus_never_runs_on_the_cpu_unsaid(monkeypatch):
    monkeypatch.delenv("CLEARMINDS_DEVICES", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    devices.require_devices(0)
    devices.require_devices(1)
    with pytest.raises(UserError, match=r"runtime: gpus: 2 asked, but torch .* sees 1"):
        devices.require_devices(2)

"""One training on several devices: the curve of one, what it cost, and what becomes of its processes when one dies."""

import json
import signal
import time

import polars as pl
import psutil
import pytest

from clearminds.files.layout import run_records

from .conftest import MASKED
from .watching import begin, error_lines, last_lines, processes_in

pytestmark = pytest.mark.slow
ADAPTER = "results/tiny/adapters/tiny/sums/stm-200/seed0"
ONE_TRAINING = (f"{ADAPTER}/adapter.json", "--resources", "gpu=2", "--set-threads", "train_adapter=2")


@pytest.fixture
def study(tmp_path, finished, monkeypatch):
    monkeypatch.setenv("CLEARMINDS_DEVICES", "0,1")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    study = finished.begin(tmp_path / "study", MASKED)
    study.warm = False
    return study


def test_a_training_on_two_devices_is_that_of_one(study):
    study.config["training"]["epochs"] = 3
    losses = []
    for how in ({"gpus": 1}, {"gpus": 2}, {"gpus": 2, "fsdp": True}):
        study.config["runtime"] = {**how, "reuse": False, "batch_tokens": 200}
        done = study.run(*ONE_TRAINING, "--forcerun", "train_adapter")
        assert done.returncode == 0, done.stdout[-3000:]
        losses.append(pl.read_parquet(study.folder / ADAPTER / "history.parquet")["loss"].to_list())
    assert len(losses[0]) == 6
    assert losses[1:] == [pytest.approx(losses[0], abs=1e-5)] * 2
    logs = study.folder / "logs/tiny/train_adapter/tiny/sums/stm-200"
    record, *of_ranks = (json.loads((logs / f"seed0{n}.run.json").read_text()) for n in ("", ".rank0", ".rank1"))
    assert record["devices"] == "0,1"
    assert (record["threads"], [one["threads"] for one in of_ranks]) == ("2", ["1", "1"])
    for counted in ("tokens", "peak_memory_bytes"):
        assert record[counted] == sum(one[counted] for one in of_ranks) > of_ranks[0][counted]
    assert run_records(logs) == [logs / "seed0.run.json"]
    assert "done in" in (logs / "seed0.rank1.log").read_text()
    said = [line for line in done.stdout.splitlines() if line.startswith("train_adapter ")]
    for once in ("started", "done in"):
        assert sum(once in line for line in said) == 1


def test_what_goes_wrong_in_a_process_is_the_job_s_own_line(study):
    study.config["training"] |= {"learning_rate": 1e30, "warmup_steps": 0}  # which no rehearsal finds
    study.config["runtime"] = {"gpus": 2}
    failed = study.run(*ONE_TRAINING)
    assert failed.returncode != 0 and "Traceback" not in failed.stdout, failed.stdout[-3000:]
    line, again = error_lines(failed.stdout)  # when it happens, and at the end
    assert line.partition("error: ")[2] in again and last_lines(failed.stdout) == [again]
    assert "the loss is not a number" in line and "of 2)" in line


def launchers(study):
    """A training's launcher and its processes, once these have the group's first step behind them."""
    log = study.folder / "logs/tiny/train_adapter/tiny/sums/stm-200/seed0.rank0.log"
    end = time.monotonic() + 300
    while time.monotonic() < end and not (log.is_file() and " steps, " in log.read_text()):
        time.sleep(0.2)
    scripts = [p for p in processes_in(study.folder) if any(a.endswith("/train_adapter.py") for a in p.cmdline()[:4])]
    [launcher] = [one for one in scripts if len(set(one.children()) & set(scripts)) == 2]
    return launcher, sorted(launcher.children(), key=lambda one: int(one.environ()["LOCAL_RANK"]))


def endless(study):
    study.config["training"]["epochs"] = 40_000
    study.config["runtime"] = {"gpus": 2}
    return begin(study, "train_adapter", *ONE_TRAINING)


def test_no_process_outlives_its_killed_launcher(study):
    run = endless(study)
    launcher, processes = launchers(study)
    launcher.kill()
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not alive
    assert "Traceback" not in run.communicate()[0]


def test_a_killed_process_is_the_one_that_is_named(study):
    run = endless(study)
    _, processes = launchers(study)
    processes[1].send_signal(signal.SIGKILL)
    said, _ = run.communicate(timeout=120)
    assert run.returncode != 0 and "Traceback" not in said, said[-3000:]
    line, *_ = error_lines(said)
    assert "process 1 of 2 was killed, perhaps out of memory" in line
